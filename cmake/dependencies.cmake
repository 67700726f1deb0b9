# Looks up the parts that are listed in deps/README.md.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(PkgConfig REQUIRED)
find_path(RE2_INCLUDE_DIR re2/re2.h REQUIRED)
find_library(RE2_LIBRARY libre2.a REQUIRED)
find_path(PROTOZERO_INCLUDE_DIR protozero/pbf_writer.hpp REQUIRED)
find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)
find_path(NLOHMANN_JSON_INCLUDE_DIR nlohmann/json.hpp REQUIRED)
find_library(CBOR_LIBRARY cbor REQUIRED)
find_path(CBOR_INCLUDE_DIR cbor.h REQUIRED)

add_library(otap_cbor INTERFACE)
target_include_directories(otap_cbor SYSTEM INTERFACE ${CBOR_INCLUDE_DIR})
target_link_libraries(otap_cbor INTERFACE ${CBOR_LIBRARY})

find_library(NGHTTP2_LIBRARY nghttp2 REQUIRED)
find_path(NGHTTP2_INCLUDE_DIR nghttp2/nghttp2.h REQUIRED)
add_library(otap_nghttp2 INTERFACE)
target_include_directories(otap_nghttp2 SYSTEM INTERFACE ${NGHTTP2_INCLUDE_DIR})
target_link_libraries(otap_nghttp2 INTERFACE ${NGHTTP2_LIBRARY})

find_package(ZLIB REQUIRED)
find_library(ZSTD_LIBRARY zstd REQUIRED)
find_path(ZSTD_INCLUDE_DIR zstd.h REQUIRED)
add_library(otap_zstd INTERFACE)
target_include_directories(otap_zstd SYSTEM INTERFACE ${ZSTD_INCLUDE_DIR})
target_link_libraries(otap_zstd INTERFACE ${ZSTD_LIBRARY})

# Linked statically: the cache of footers is all that uses it.
find_library(SQLITE_LIBRARY libsqlite3.a REQUIRED)
find_path(SQLITE_INCLUDE_DIR sqlite3.h REQUIRED)
add_library(otap_sqlite INTERFACE)
target_include_directories(otap_sqlite SYSTEM INTERFACE ${SQLITE_INCLUDE_DIR})
target_link_libraries(otap_sqlite INTERFACE ${SQLITE_LIBRARY} Threads::Threads ${CMAKE_DL_LIBS} m)

# The wheel's libarrow_compute exports an RE2 of another version. Ours is linked statically and not exported, so that
# neither is ever called in place of the other.
add_library(otap_re2 INTERFACE)
target_include_directories(otap_re2 SYSTEM INTERFACE ${RE2_INCLUDE_DIR})
target_link_libraries(otap_re2 INTERFACE Threads::Threads)
# All of it: of members that are left out the linker would take the symbols that Arrow has.
target_link_options(otap_re2 INTERFACE
  LINKER:--whole-archive,${RE2_LIBRARY},--no-whole-archive LINKER:--exclude-libs,libre2.a)

# Arrow and Parquet: the system's own where it has one, else what deps/bootstrap.sh unpacked.
# Compared here, since a version given to find_package would refuse any later major version.
find_package(Arrow CONFIG QUIET)
find_package(Parquet CONFIG QUIET)
add_library(otap_arrow INTERFACE)
if(Arrow_FOUND AND Parquet_FOUND AND Arrow_VERSION VERSION_GREATER_EQUAL 26)
  find_package(ArrowCompute CONFIG QUIET)
  target_link_libraries(otap_arrow INTERFACE Parquet::parquet_shared Arrow::arrow_shared)
  if(ArrowCompute_FOUND)
    target_link_libraries(otap_arrow INTERFACE ArrowCompute::arrow_compute_shared)
  endif()
  message(STATUS "Arrow ${Arrow_VERSION} from the system")
else()
  set(ARROW_ROOT ${CMAKE_SOURCE_DIR}/.deps/arrow)
  if(NOT EXISTS ${ARROW_ROOT}/lib/libarrow.so.2600)
    message(FATAL_ERROR
      "Arrow C++ 26 was not found: neither find_package(Arrow) nor ${ARROW_ROOT}. Run deps/bootstrap.sh.")
  endif()
  target_include_directories(otap_arrow SYSTEM INTERFACE ${ARROW_ROOT}/include)
  foreach(library parquet arrow_compute arrow)
    target_link_libraries(otap_arrow INTERFACE ${ARROW_ROOT}/lib/lib${library}.so.2600)
  endforeach()
  list(APPEND CMAKE_BUILD_RPATH ${ARROW_ROOT}/lib)
  message(STATUS "Arrow 26 from ${ARROW_ROOT}")
endif()
target_link_libraries(otap_arrow INTERFACE Threads::Threads)
# The wheel's libparquet exports an OpenSSL of another version. The system's comes first in every program, so that
# libssl, libcrypto and our calls all mean the same one: a mixture of the two ends in calls of null.
target_link_options(otap_arrow INTERFACE
  LINKER:--push-state,--no-as-needed,${OPENSSL_SSL_LIBRARY},${OPENSSL_CRYPTO_LIBRARY},--pop-state)

if(OTAP_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
