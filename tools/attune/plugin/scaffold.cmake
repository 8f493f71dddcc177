# The files of scaffold/, as they lie there, become part of the program: it writes them where no source tree is.
set(scaffold ${CMAKE_CURRENT_LIST_DIR}/scaffold)
set(scaffold_entries "")
foreach(file IN ITEMS CMakeLists.txt README.md bench.cpp my_backend.cpp)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${scaffold}/${file})
  file(READ ${scaffold}/${file} text)
  string(APPEND scaffold_entries "      {\"${file}\", R\"scaffold(${text})scaffold\"},\n")
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/scaffold.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/plugin/scaffold.cpp @ONLY)
