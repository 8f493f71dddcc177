# GTest::gtest and GTest::gtest_main. The system's libraries are the host's: for another machine they are built from
# the sources that Debian installs beside them.
if(CMAKE_CROSSCOMPILING)
  set(BUILD_GMOCK OFF)
  set(INSTALL_GTEST OFF)
  set(CMAKE_WARN_DEPRECATED OFF)  # of its own CMakeLists.txt
  find_path(ATTUNE_GOOGLETEST_SOURCE googletest/CMakeLists.txt PATHS /usr/src/googletest NO_CMAKE_FIND_ROOT_PATH REQUIRED)
  add_subdirectory(${ATTUNE_GOOGLETEST_SOURCE} ${PROJECT_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
  unset(CMAKE_WARN_DEPRECATED)
else()
  find_package(GTest REQUIRED)
endif()
