# Fails unless the README holds the example word for word in a ```cpp block.
#   cmake -DREADME=… -DEXAMPLE=… -P readme.cmake
cmake_minimum_required(VERSION 3.25)
file(READ "${README}" readme)
file(READ "${EXAMPLE}" example)
string(FIND "${readme}" "```cpp\n${example}```" place)
if(place EQUAL -1)
  message(FATAL_ERROR "${README} does not hold ${EXAMPLE} word for word between ```cpp and ```")
endif()
