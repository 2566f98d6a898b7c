# SPDX-License-Identifier: Apache-2.0
# Debian's CAF 0.17 ships no CMake package. Makes the targets that later
# versions' own packages define: CAF::core, CAF::io.
find_package(Threads REQUIRED)
find_path(CAF_INCLUDE_DIR caf/config.hpp HINTS ${CAF_ROOT}
  PATH_SUFFIXES include)
if(CAF_INCLUDE_DIR)
  file(STRINGS "${CAF_INCLUDE_DIR}/caf/config.hpp" _line
    REGEX "^#define CAF_VERSION [0-9]+")
  string(REGEX REPLACE ".*CAF_VERSION ([0-9]+).*" "\\1" _number "${_line}")
  math(EXPR _major "${_number} / 10000")
  math(EXPR _minor "(${_number} / 100) % 100")
  math(EXPR _patch "${_number} % 100")
  set(CAF_VERSION "${_major}.${_minor}.${_patch}")
  if(NOT CAF_VERSION VERSION_LESS 0.18)
    message(FATAL_ERROR "CAF ${CAF_VERSION} speaks another wire protocol; "
      "install libcaf-dev 0.17.6")
  endif()
endif()
foreach(_part IN LISTS CAF_FIND_COMPONENTS)
  find_library(CAF_${_part}_LIBRARY caf_${_part} HINTS ${CAF_ROOT}
    PATH_SUFFIXES lib)
  if(CAF_${_part}_LIBRARY)
    set(CAF_${_part}_FOUND TRUE)
  endif()
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF REQUIRED_VARS CAF_INCLUDE_DIR
  VERSION_VAR CAF_VERSION HANDLE_COMPONENTS)
foreach(_part IN LISTS CAF_FIND_COMPONENTS)
  if(CAF_FOUND AND NOT TARGET CAF::${_part})
    add_library(CAF::${_part} UNKNOWN IMPORTED)
    set_target_properties(CAF::${_part} PROPERTIES
      IMPORTED_LOCATION "${CAF_${_part}_LIBRARY}"
      INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}")
  endif()
endforeach()
if(TARGET CAF::core)
  target_link_libraries(CAF::core INTERFACE Threads::Threads)
endif()
if(TARGET CAF::io)
  target_link_libraries(CAF::io INTERFACE CAF::core)
endif()
