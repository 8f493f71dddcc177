# attune_add_plugin(NAME SOURCE…): a backend plugin, NAME.so, from sources that include <attune/plugin.hpp>.
#
# It links nothing of Attune and exports the query function alone: symbols that two plugins, or a plugin and its host,
# have in common would otherwise be merged by the dynamic linker, with RTLD_LOCAL too.
set(ATTUNE_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/attune_plugin.map)

function(attune_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_compile_definitions(${name} PRIVATE ATTUNE_PLUGIN_BUILD)
  target_include_directories(${name} PRIVATE $<TARGET_PROPERTY:attune::attune,INTERFACE_INCLUDE_DIRECTORIES>)
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    target_link_options(${name} PRIVATE LINKER:--exclude-libs,ALL LINKER:--version-script=${ATTUNE_PLUGIN_MAP})
    set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${ATTUNE_PLUGIN_MAP})
  endif()
endfunction()
