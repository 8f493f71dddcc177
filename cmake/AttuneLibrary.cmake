# libattune from attune_objects.
add_library(attune)
add_library(attune::attune ALIAS attune)
# What the library is made of is nobody's business outside this build: an installed package does not name it.
target_link_libraries(attune PRIVATE $<BUILD_INTERFACE:attune_objects>)
get_property(kernel_objects GLOBAL PROPERTY ATTUNE_KERNEL_OBJECTS)
target_sources(attune PRIVATE ${kernel_objects})
if(ATTUNE_TBB AND NOT BUILD_SHARED_LIBS)
  target_link_libraries(attune PRIVATE TBB::tbb)
endif()
target_compile_features(attune PUBLIC cxx_std_20)
target_include_directories(attune PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(attune PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0)

# Hidden visibility does not reach the templates of the standard library that are instantiated in ours.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND BUILD_SHARED_LIBS)
  target_link_options(attune PRIVATE LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/attune.map)
  if(NOT ATTUNE_SANITIZE)  # a sanitizer's own symbols come with the program
    target_link_options(attune PRIVATE LINKER:--no-undefined)
  endif()
  set_target_properties(attune PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/attune.map)
endif()

# Tests and benches that look behind the public headers link this instead.
add_library(attune_internal INTERFACE)
target_link_libraries(attune_internal INTERFACE attune_objects $<TARGET_OBJECTS:attune_objects> ${kernel_objects})
