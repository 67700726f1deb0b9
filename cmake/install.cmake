# cmake --install: bin/df_engine with every library that is not the C library's in lib/, found by $ORIGIN from wherever the
# folder is put; documents and examples in share/.
set_target_properties(df_engine PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
install(TARGETS df_engine RUNTIME_DEPENDENCY_SET otap_libraries RUNTIME DESTINATION bin)
# What belongs to the C library has to be of the system that the program runs on.
install(RUNTIME_DEPENDENCY_SET otap_libraries
  PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|resolv|util)[.]so"
  LIBRARY DESTINATION lib)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/README.md DESTINATION share/doc/df_engine)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION share/doc/df_engine/docs)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs ${CMAKE_SOURCE_DIR}/examples DESTINATION share/df_engine)
# The terms of the libraries that come along.
install(CODE [[
  set(licences "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share/doc/df_engine/licences")
  file(MAKE_DIRECTORY "${licences}")
  file(GLOB libraries "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/*.so*")
  foreach(library IN LISTS libraries)
    cmake_path(GET library FILENAME name)
    execute_process(COMMAND dpkg-query --search "*-linux-gnu/${name}" OUTPUT_VARIABLE found ERROR_QUIET)
    if(found MATCHES "^([a-z0-9.+-]+)(:[a-z0-9]+)?: ")
      set(package "${CMAKE_MATCH_1}")
      if(EXISTS "/usr/share/doc/${package}/copyright")
        file(COPY_FILE "/usr/share/doc/${package}/copyright" "${licences}/${package}.txt")
      endif()
    endif()
  endforeach()
]])
if(EXISTS ${CMAKE_SOURCE_DIR}/.deps/arrow/licenses)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/.deps/arrow/licenses/ DESTINATION share/doc/df_engine/licences/arrow)
endif()
