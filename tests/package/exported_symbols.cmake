# Every symbol that the shared LIBRARY defines for others belongs to namespace attune or to its C interface, and
# there are some.
execute_process(COMMAND ${NM} --dynamic --defined-only --demangle ${LIBRARY}
  OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" lines "${listing}")

set(exported 0)
foreach(line IN LISTS lines)
  string(REGEX REPLACE "^[0-9a-f]+ [A-Za-z] " "" symbol "${line}")
  math(EXPR exported "${exported} + 1")
  if(NOT symbol MATCHES "^((vtable|typeinfo|typeinfo name) for )?attune::|^attune_")
    message(SEND_ERROR "exported, but not Attune's: ${symbol}")
  endif()
endforeach()
if(exported EQUAL 0)
  message(FATAL_ERROR "${LIBRARY} exports nothing")
endif()
message(STATUS "${exported} exported symbols, all of them Attune's")
