# Fails where a folder with code lacks a README.md. Folders of a single header level (include/attune) are told of by the
# project's README, generated ones (build/) are not looked at.
#   cmake -DROOT=… -P folders.cmake
cmake_minimum_required(VERSION 3.25)
foreach(top IN ITEMS backends bench engine examples tests tools)
  file(GLOB_RECURSE sources "${ROOT}/${top}/*.cpp" "${ROOT}/${top}/*.hpp")
  foreach(source IN LISTS sources)
    cmake_path(GET source PARENT_PATH folder)
    list(APPEND folders "${folder}")
  endforeach()
endforeach()
list(REMOVE_DUPLICATES folders)
foreach(folder IN LISTS folders)
  if(NOT EXISTS "${folder}/README.md")
    message(SEND_ERROR "${folder} holds code and no README.md")
  endif()
endforeach()
