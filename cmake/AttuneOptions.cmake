# How every file of the project is compiled: attune_options carries it.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Kind of build" FORCE)
endif()
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(attune_options INTERFACE)
target_compile_features(attune_options INTERFACE cxx_std_20)
target_compile_options(attune_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(attune_options INTERFACE -Wno-restrict)  # false of "text" + string: GCC bug 105651
endif()
if(ATTUNE_WERROR)
  target_compile_options(attune_options INTERFACE -Werror)
endif()

# Linked beside it by code whose speed nobody notices (reading the command line, tests): there the optimiser's second
# half, and a sanitizer's code put through any of it, cost more time than they ever give back.
add_library(attune_quick_to_compile INTERFACE)
if(ATTUNE_SANITIZE)
  target_compile_options(attune_quick_to_compile INTERFACE -O0)
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(attune_quick_to_compile INTERFACE -O1)
endif()
if(ATTUNE_SANITIZE)
  target_compile_options(attune_options INTERFACE -fsanitize=${ATTUNE_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(attune_options INTERFACE -fsanitize=${ATTUNE_SANITIZE})
endif()
