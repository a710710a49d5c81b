# MIMI_QUICK_BUILD: what nearly every file includes is parsed once, and tests, which are many lines
# that run once, are compiled without optimisation. Together they halve the time of a clean build.
# The release preset goes without, so that a file that lacks an include is found there.
#
# One precompiled header for the rooms and one for the tests: both sides must be compiled with the
# same options, and programs are not compiled as libraries are (-fPIE, -fPIC).

set(mimi_common_headers
  <algorithm> <array> <chrono> <cstddef> <cstdint> <cstring> <functional> <memory> <optional> <span>
  <string> <string_view> <utility> <vector>
  <absl/status/status.h> <absl/status/statusor.h>)

# mimi_quick_room(<target>), mimi_quick_test(<target>): after the target's own settings.
function(mimi_quick_room target)
  if(MIMI_QUICK_BUILD)
    target_precompile_headers(${target} REUSE_FROM mimi_common_headers)
    # g++ 12 gives false alarms of both in what it takes from a precompiled header.
    target_compile_options(${target} PRIVATE
      $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overread>)
  endif()
endfunction()

function(mimi_quick_test target)
  if(MIMI_QUICK_BUILD)
    target_compile_options(${target} PRIVATE -O0)
    target_precompile_headers(${target} REUSE_FROM mimi_common_test_headers)
  endif()
endfunction()

if(MIMI_QUICK_BUILD)
  file(WRITE ${PROJECT_BINARY_DIR}/common_headers.cc "")

  add_library(mimi_common_headers OBJECT ${PROJECT_BINARY_DIR}/common_headers.cc)
  mimi_defaults(mimi_common_headers)
  target_link_libraries(mimi_common_headers PUBLIC ${MIMI_PUBLIC_LIBS})
  target_precompile_headers(mimi_common_headers PRIVATE ${mimi_common_headers})

  if(MIMI_BUILD_TESTS)
    add_library(mimi_common_test_headers OBJECT ${PROJECT_BINARY_DIR}/common_headers.cc)
    mimi_defaults(mimi_common_test_headers)
    set_target_properties(mimi_common_test_headers PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(mimi_common_test_headers PRIVATE -O0 -fPIE)
    target_link_libraries(mimi_common_test_headers PRIVATE ${MIMI_PUBLIC_LIBS} doctest::doctest)
    target_precompile_headers(mimi_common_test_headers PRIVATE
      ${mimi_common_headers} <doctest/doctest.h>)
  endif()
endif()
