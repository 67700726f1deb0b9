# Language level, warnings, sanitizers, compiler cache and linker: the same for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Precompiled headers are cached only when ccache may ignore their time stamps.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE_PROGRAM})
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_library(otap_options INTERFACE)
target_compile_options(otap_options INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast
  -Wno-missing-field-initializers -fno-omit-frame-pointer -fpch-preprocess)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12's own std::stable_sort calls what it declares deprecated, and clang says so.
  target_compile_options(otap_options INTERFACE -Wno-unused-command-line-argument -Wno-deprecated-declarations)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Where gcc 12 inlines `"text" + std::string` it sees copies that overlap, never end or leave their bounds; there are
  # none.
  set(false_alarms -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
  target_compile_options(otap_options INTERFACE "$<$<CONFIG:Release>:${false_alarms}>")
endif()
target_compile_options(otap_options INTERFACE
  $<$<CONFIG:Debug>:-Og -g1>
  $<$<CONFIG:Release>:-O3 -g1>)

if(OTAP_SANITIZE)
  target_compile_options(otap_options INTERFACE -fsanitize=${OTAP_SANITIZE} -fno-sanitize-recover=all)
  # A program that runs the instrumented libraries without the sanitizer says OTAP_LINKS_SANITIZER FALSE.
  define_property(TARGET PROPERTY OTAP_LINKS_SANITIZER BRIEF_DOCS "Whether the sanitizer is linked")
  set(links_sanitizer "$<NOT:$<STREQUAL:$<TARGET_PROPERTY:OTAP_LINKS_SANITIZER>,FALSE>>")
  target_link_options(otap_options INTERFACE "$<${links_sanitizer}:-fsanitize=${OTAP_SANITIZE}>")
  if(OTAP_SANITIZE MATCHES "thread")
    # gcc warns that it does not instrument atomic_thread_fence, which Asio uses.
    target_compile_options(otap_options INTERFACE -Wno-tsan)
  endif()
endif()
