# Compiler settings that hold for every target of ours.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug or Release" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# One set of objects serves the archives and libmimi.so. With hidden visibility, position
# independence costs next to nothing on x86-64 and arm64.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(MIMI_CCACHE ccache)
  mark_as_advanced(MIMI_CCACHE)
  if(MIMI_CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER ${MIMI_CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${MIMI_CCACHE})
  endif()
endif()

# Warnings are errors in our own files; headers of others come in as system headers. g++ 12 gives
# false alarms of -Wrestrict in std::string at -O3 (GCC bug 105651).
add_library(mimi_warnings INTERFACE)
target_compile_options(mimi_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-align -Wcast-qual
  -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough -Wundef -Wvla -Werror
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
    -Wmissing-declarations -Wextra-semi>
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<COMPILE_LANGUAGE:CXX>>:-Wsuggest-override>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wshadow-all -Wno-shadow-uncaptured-local>)

# What changes code generation goes to every target, so that all objects agree.
if(MIMI_SANITIZE)
  set(mimi_sanitize -fsanitize=${MIMI_SANITIZE} -fno-omit-frame-pointer
                    -fno-sanitize-recover=all)
  add_compile_options(${mimi_sanitize})
  # Newer Abseil gives its containers another layout below AddressSanitizer; the distribution's
  # library is built without. This keeps the layouts the same.
  add_compile_definitions(NDEBUG_SANITIZER)
  add_link_options(${mimi_sanitize})
endif()
if(MIMI_BUILD_FUZZERS)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "MIMI_BUILD_FUZZERS needs clang (this is ${CMAKE_CXX_COMPILER_ID}): "
                        "cmake --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(NOT MIMI_RTTI)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)
endif()
if(MIMI_LTO)
  include(CheckIPOSupported)
  check_ipo_supported(RESULT mimi_lto_works OUTPUT mimi_lto_why)
  if(NOT mimi_lto_works)
    message(FATAL_ERROR "MIMI_LTO: this compiler cannot: ${mimi_lto_why}")
  endif()
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
