# Talks to the worker as bench/peers does: all values are the same, and so must their mean be (of four: exactly); what
# is wrong is an answer, not the end.
#   cmake -DWORKER=… -DFOLDER=… -P worker_test.cmake
cmake_minimum_required(VERSION 3.25)
string(REPEAT "1111" 48 inputs)  # query, key and value, 64 bytes each: 0x31313131 is 2.6e-9
string(REPEAT "0000" 16 spoilt)
file(WRITE ${FOLDER}/worker_test.memory "${inputs}${spoilt}")
set(size "\"dtype\": \"f32\", \"shape\": [1, 1, 4, 4]")
set(call "{\"path\": \"${FOLDER}/worker_test.memory\", \"dtype\": \"f32\", \"causal\": false, \"tensors\": {
  \"query\": {${size}, \"offset\": 0}, \"key\": {${size}, \"offset\": 64}, \"value\": {${size}, \"offset\": 128},
  \"out\": {${size}, \"offset\": 192}}}")
string(REPLACE "192" "193" beyond "${call}")
string(REPLACE "\n" "" call "${call}")
string(REPLACE "\n" "" beyond "${beyond}")
file(WRITE ${FOLDER}/worker_test.requests
  "{\"do\": \"compute\", \"variant\": \"attention\"}\n"
  "{\"do\": \"prepare\", \"call\": ${beyond}}\n"
  "no JSON\n"
  "{\"do\": \"prepare\", \"call\": ${call}}\n"
  "{\"do\": \"time\", \"variant\": \"attention\", \"after\": 0.001, \"seconds\": 0.001}\n"
  "{\"do\": \"compute\", \"variant\": \"attention\"}\n")
execute_process(COMMAND ${WORKER} 1 INPUT_FILE ${FOLDER}/worker_test.requests
  OUTPUT_VARIABLE answers RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR NOT answers MATCHES
   "nothing is prepared.*\n.*beyond the shared memory.*\n.*parse_error.*\n.*variants.*\n.*seconds.*\n.*seconds.*\n$")
  message(FATAL_ERROR "status ${status}, answers:\n${answers}")
endif()
file(READ ${FOLDER}/worker_test.memory out OFFSET 192 HEX)
string(REPEAT "31" 64 expected)
if(NOT out STREQUAL expected)
  message(FATAL_ERROR "out is ${out}")
endif()
