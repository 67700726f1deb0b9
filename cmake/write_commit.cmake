# cmake -DSOURCE_DIR=.. -DOUTPUT=.. -P write_commit.cmake: a source that tells the commit; written only when that has changed.
set(commit "unknown")
find_package(Git QUIET)
if(GIT_EXECUTABLE)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE_DIR} log -1 --format=%h\ of\ %cs
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed AND found MATCHES "^[0-9a-f]+ of [0-9-]+$")
    set(commit "${found}")
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE_DIR} status --porcelain --untracked-files=no
      OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(NOT changes STREQUAL "")
      string(APPEND commit " and changes")
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#include "app/build_commit.h"

namespace df::app {

std::string_view BuildCommit() { return "@commit@"; }

}  // namespace df::app
]])
