# SPDX-License-Identifier: Apache-2.0
# forkfleet_tests(<name> [VM] LIBRARIES <target>... SOURCES <file>...)
#
# One Catch2 binary whose test cases ctest knows by name. VM: its cases start
# virtual machines or need the machine's quiet, so no two of them run at once;
# they carry the label vm, all others the label fast. A case that prints a
# line "SKIPPED: <name>: <reason>" counts as skipped (tests/support/skip.hpp).
find_package(Catch2 2.13 REQUIRED)
include(Catch)

add_library(forkfleet_catch_main OBJECT tests/main.cpp)
target_link_libraries(forkfleet_catch_main PUBLIC forkfleet_flags Catch2::Catch2)
# GCC sees a regular expression of Catch's own that it takes for uninitialised.
target_compile_options(forkfleet_catch_main PRIVATE -Wno-maybe-uninitialized)

function(forkfleet_tests name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "VM" "" "LIBRARIES;SOURCES")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE forkfleet_catch_main ${arg_LIBRARIES})
  set(properties LABELS fast TIMEOUT 120)
  if(arg_VM)
    set(properties LABELS vm TIMEOUT 600 RESOURCE_LOCK vm)
  endif()
  catch_discover_tests(${name} TEST_PREFIX "${name}: "
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    PROPERTIES ${properties} SKIP_REGULAR_EXPRESSION "SKIPPED: ")
endfunction()
