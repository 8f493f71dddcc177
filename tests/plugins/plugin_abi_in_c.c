/* The plugin ABI is plain C11, and its structs have the size in C that they have in C++ (plugin_structs_test). */
#define ATTUNE_ABI_DECLARE_QUERY
#include <attune/plugin_abi.h>

_Static_assert(sizeof(attune_head) == 16, "the first 16 bytes never change");
_Static_assert(sizeof(attune_problem) >= attune_problem_size_1_0, "structs only grow");
_Static_assert(sizeof(attune_extents) >= attune_extents_size_1_0, "structs only grow");
_Static_assert(sizeof(attune_machine) >= attune_machine_size_1_0, "structs only grow");
_Static_assert(sizeof(attune_arguments) >= attune_arguments_size_1_0, "structs only grow");
_Static_assert(sizeof(attune_executor) >= attune_executor_size_1_0, "structs only grow");
_Static_assert(sizeof(attune_host) >= attune_host_size_1_0, "structs only grow");
_Static_assert(sizeof(attune_plugin) >= attune_plugin_size_1_0, "structs only grow");

const attune_plugin* attune_plugin_query(const attune_host* host, char* text, uint64_t text_bytes) {
  if (text_bytes > 0) text[0] = '\0';
  (void)host;
  return (const attune_plugin*)0;
}
