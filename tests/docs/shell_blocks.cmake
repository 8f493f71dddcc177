# Runs the ```sh blocks of a document, in order, as one script in an empty folder, as somebody would who has Attune
# installed in PREFIX and a home of their own. Fails where a command does.
#   cmake -DDOCUMENT=… -DPREFIX=… -DFOLDER=… -DCXX=… -P shell_blocks.cmake
cmake_minimum_required(VERSION 3.25)
file(READ "${DOCUMENT}" rest)
set(script "set -eux\n")
while(TRUE)
  string(FIND "${rest}" "```sh\n" begin)
  if(begin EQUAL -1)
    break()
  endif()
  math(EXPR begin "${begin} + 6")
  string(SUBSTRING "${rest}" ${begin} -1 rest)
  string(FIND "${rest}" "```" end)
  string(SUBSTRING "${rest}" 0 ${end} block)
  string(APPEND script "${block}")
  math(EXPR end "${end} + 3")
  string(SUBSTRING "${rest}" ${end} -1 rest)
endwhile()

if(script STREQUAL "set -eux\n")
  message(FATAL_ERROR "${DOCUMENT} has no commands")
endif()

file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}/home")
file(WRITE "${FOLDER}/commands" "${script}")
execute_process(
  COMMAND ${CMAKE_COMMAND} -E env --unset=ATTUNE_BACKEND --unset=ATTUNE_ISA --unset=ATTUNE_PLUGIN_PATH
          --unset=XDG_DATA_HOME --unset=XDG_STATE_HOME "HOME=${FOLDER}/home" "PATH=${PREFIX}/bin:$ENV{PATH}"
          "CMAKE_PREFIX_PATH=${PREFIX}" "CXX=${CXX}" bash "${FOLDER}/commands"
  WORKING_DIRECTORY "${FOLDER}"
  RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "a command of ${DOCUMENT} failed: ${status}")
endif()
