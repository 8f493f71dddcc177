# libattune from attune_objects, and what find_package(attune) and pkg-config need to find it.
include(CMakePackageConfigHelpers)

add_library(attune)
add_library(attune::attune ALIAS attune)
target_link_libraries(attune PRIVATE attune_objects)
target_compile_features(attune PUBLIC cxx_std_20)
target_include_directories(attune PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(attune PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)

# Tests and benches that look behind the public headers link this instead.
add_library(attune_internal INTERFACE)
target_link_libraries(attune_internal INTERFACE attune_objects $<TARGET_OBJECTS:attune_objects>)
