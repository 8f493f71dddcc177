// What a hostile plugin does wrong.
#pragma once

namespace hostile {

enum class Fault {
  none,
  // In its answer to the query.
  wrong_magic,
  size_zero,
  size_small,
  size_odd,
  size_huge,
  version_new,
  version_old,
  null_answer,
  null_name,
  null_supports,
  null_estimate,
  null_plan_create,
  null_plan_destroy,
  null_workspace_bytes,
  null_execute,
  null_describe,
  bad_name,
  builtin_name,
  twin_a,  // two with one name
  twin_b,
  same_class_a,  // two with one class name, and static and template state in it
  same_class_b,
  // In what its functions return.
  garbage_supports,
  garbage_estimate,
  garbage_status,
  garbage_workspace,
  no_plan,
  claims_nothing,
  endless_text,  // a reason without an end
  // In what they do.
  throws_at_query,
  throws_through_query,
  throws_in_supports,
  throws_in_plan,
  throws_in_static,
  aborts_at_load,
  exits_at_load,
  segfaults_in_static,
  segfaults_at_query,
  segfaults_in_supports,
  segfaults_in_estimate,
  segfaults_in_plan,
  segfaults_in_describe,
  segfaults_in_execute,
  segfaults_at_destroy,
  hangs_at_load,
  hangs_in_execute,
  forks_at_load,
  segfaults_beside_a_fork,
  segfaults_at_exit,
  throws_in_execute,
  exits_in_execute,
  hangs_in_supports,
  changes_folder,
  changes_locale,
  closes_stdin,
  catches_signals,
  blocks_signals,
  changes_rounding,
  leaks_threads,
  prints_a_megabyte,
  writes_past_output,
  writes_past_workspace,
  writes_nothing,
  wrong_row,  // computes all rows but one, of calls larger than the probe's
};

extern const Fault fault;
extern const char* const name;

}  // namespace hostile
