# otap_library(NAME SOURCES .. [DEPS ..] [TESTS ..]), otap_node(..), otap_test(..), otap_bench(..).
# A library is one layer of cmake/layers.txt; it links to exactly the layers named there. The room lake/format is the
# target otap_lake_format.
include(GoogleTest OPTIONAL)

file(STRINGS ${CMAKE_SOURCE_DIR}/cmake/layers.txt OTAP_LAYER_LINES REGEX "^[a-z]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cmake/layers.txt)

function(otap_layer_dependencies layer result)
  set(found FALSE)
  foreach(line IN LISTS OTAP_LAYER_LINES)
    if(line MATCHES "^${layer}:(.*)$")
      string(STRIP "${CMAKE_MATCH_1}" dependencies)
      string(REGEX REPLACE "[ ]+" ";" dependencies "${dependencies}")
      list(FILTER dependencies EXCLUDE REGEX "^[+]")
      list(TRANSFORM dependencies REPLACE "/" "_")
      set(found TRUE)
    endif()
  endforeach()
  if(NOT found)
    message(FATAL_ERROR "layer '${layer}' is not in cmake/layers.txt")
  endif()
  set(${result} ${dependencies} PARENT_SCOPE)
endfunction()

# One precompiled header for everything that touches Arrow: the heaviest includes of the tree.
add_library(otap_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/pch.cc)
target_link_libraries(otap_pch PUBLIC otap_options otap_arrow fmt::fmt)
target_precompile_headers(otap_pch PUBLIC ${CMAKE_SOURCE_DIR}/cmake/pch.h)

function(otap_apply target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} PUBLIC otap_options otap_arrow fmt::fmt)
  target_precompile_headers(${target} REUSE_FROM otap_pch)
endfunction()

function(otap_library layer)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;TESTS;TEST_DEPS" ${ARGN})
  string(REPLACE "/" "_" name ${layer})
  add_library(otap_${name} STATIC ${ARG_SOURCES})
  otap_apply(otap_${name})
  otap_layer_dependencies(${layer} dependencies)
  foreach(dependency IN LISTS dependencies)
    target_link_libraries(otap_${name} PUBLIC otap_${dependency})
  endforeach()
  target_link_libraries(otap_${name} PUBLIC ${ARG_DEPS})
  if(ARG_TESTS AND OTAP_BUILD_TESTS)
    otap_test(${name}_test LABEL unit SOURCES ${ARG_TESTS} DEPS otap_${name} ${ARG_TEST_DEPS})
  endif()
endfunction()

# otap_embed(OUTPUT FILE ..): a source of web::EmbeddedFile with these files of the folder, written again when one changes.
function(otap_embed output)
  set(entries "")
  foreach(name IN LISTS ARGN)
    set(path ${CMAKE_CURRENT_SOURCE_DIR}/${name})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(READ ${path} text)
    string(APPEND entries "    {\"${name}\", R\"otap_file(${text})otap_file\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[
#include <string_view>
#include <utility>

#include "web/embedded_file.h"

namespace df::web {

std::string_view EmbeddedFile(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> kFiles[] = {
@entries@  };
  for (const auto& [file, text] : kFiles) {
    if (file == name) {
      return text;
    }
  }
  return {};
}

}  // namespace df::web
]])
endfunction()

# otap_split_symbols(TARGET): of an optimised program the symbols go to TARGET.debug beside it, where debuggers look for them.
function(otap_split_symbols target)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    set(program $<TARGET_FILE:${target}>)
    add_custom_command(TARGET ${target} POST_BUILD
      COMMAND ${CMAKE_OBJCOPY} --only-keep-debug --compress-debug-sections=zlib ${program} ${program}.debug
      COMMAND ${CMAKE_OBJCOPY} --strip-unneeded --add-gnu-debuglink=${program}.debug ${program} VERBATIM)
  endif()
endfunction()

# Arrow's own pool takes memory in pieces that it cuts up itself, so that ASan does not see where a buffer ends.
set(OTAP_TEST_ENVIRONMENT ARROW_DEFAULT_MEMORY_POOL=system)

# otap_test(NAME LABEL unit|layers|sim|e2e SOURCES .. DEPS ..)
function(otap_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  otap_apply(${name})
  target_compile_definitions(${name} PRIVATE OTAP_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  if(ARG_LABEL STREQUAL "e2e")
    # These watch a program from outside; without UBSan in what watches they compile in three quarters of the time.
    target_compile_options(${name} PRIVATE -fno-sanitize=undefined)
  endif()
  # Without NO_PRETTY_VALUES the bytes of a parameter, addresses among them, become part of a test's name.
  gtest_discover_tests(${name} TEST_PREFIX ${name}. NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 600 ENVIRONMENT ${OTAP_TEST_ENVIRONMENT})
endfunction()

# otap_node(SOURCES .. [TESTS ..] [DEPS ..] [TEST_DEPS ..]), called from src/nodes/<kinds>/<name>/CMakeLists.txt.
# The folder names the target and the symbol: src/nodes/processors/debug gives df::nodes::processors::debug::kDescriptor.
function(otap_node)
  cmake_parse_arguments(ARG "" "" "SOURCES;TESTS;DEPS;TEST_DEPS" ${ARGN})
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME name)
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR PARENT_PATH parent)
  cmake_path(GET parent FILENAME kind)
  set(target node_${kind}_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  otap_apply(${target})
  otap_layer_dependencies(nodes dependencies)
  foreach(dependency IN LISTS dependencies)
    target_link_libraries(${target} PUBLIC otap_${dependency})
  endforeach()
  target_link_libraries(${target} PUBLIC ${ARG_DEPS})
  set_property(GLOBAL APPEND PROPERTY OTAP_NODES "${kind}/${name}")
  if(ARG_TESTS AND OTAP_BUILD_TESTS)
    otap_test(${target}_test LABEL unit SOURCES ${ARG_TESTS} DEPS ${target} otap_testing ${ARG_TEST_DEPS})
  endif()
endfunction()

function(otap_bench name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  otap_apply(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
endfunction()
