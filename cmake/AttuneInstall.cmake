# `cmake --install`: the library, its headers, the program, and what find_package(attune) and pkg-config need
# to find them.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/attune)

install(TARGETS attune EXPORT attuneTargets)
install(DIRECTORY include/attune DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT attuneTargets NAMESPACE attune:: DESTINATION ${package_dir})
configure_package_config_file(cmake/attuneConfig.cmake.in attuneConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(attuneConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/attuneConfig.cmake ${PROJECT_BINARY_DIR}/attuneConfigVersion.cmake
  cmake/AttunePlugin.cmake cmake/attune_plugin.map
  DESTINATION ${package_dir})

# The prefix is found from where the file lies, so that an installed tree can be moved.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
  OUTPUT_VARIABLE pkgconfig_to_prefix)
set(pkgconfig_requires_private "")
if(ATTUNE_TBB AND NOT BUILD_SHARED_LIBS)
  set(pkgconfig_requires_private tbb)
endif()
configure_file(cmake/attune.pc.in attune.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/attune.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
