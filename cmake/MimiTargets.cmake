# The functions with which rooms, tests, fuzzers, benchmarks and examples are declared.

# What the public headers need: everything of ours links it.
set(MIMI_PUBLIC_LIBS absl::status absl::statusor cereal::cereal Threads::Threads)

# Adds a directory of ours if it has something to build.
function(mimi_add_directory directory)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${directory}/CMakeLists.txt)
    add_subdirectory(${PROJECT_SOURCE_DIR}/${directory} ${PROJECT_BINARY_DIR}/${directory})
  endif()
endfunction()

function(mimi_defaults target)
  target_include_directories(${target}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:mimi_warnings>)
endfunction()

function(mimi_check_arguments function)
  if(ARG_UNPARSED_ARGUMENTS OR ARG_KEYWORDS_MISSING_VALUES OR NOT ARG_SOURCES)
    message(FATAL_ERROR "${function}: cannot use '${ARG_UNPARSED_ARGUMENTS}"
                        "${ARG_KEYWORDS_MISSING_VALUES}', or SOURCES is missing")
  endif()
endfunction()

# mimi_room(<name> [CORE] SOURCES a.cc … [DEPENDS room …] [LIBS target …])
#
# One room, or one part of a room (src/state declares `state` and `state_text`). CORE: it goes into
# mimi::core, so it may depend on CORE rooms, Abseil, cereal and fmt only. DEPENDS: rooms whose
# headers it includes. LIBS: imported targets (absl::flat_hash_map, fmt::fmt, mimi_dep::uv).
# Makes the static library mimi_room_<name> for tests to link, and remembers its objects for
# mimi::core and mimi::mimi.
function(mimi_room name)
  cmake_parse_arguments(ARG "CORE" "" "SOURCES;DEPENDS;LIBS" ${ARGN})
  mimi_check_arguments("mimi_room(${name})")
  if(MIMI_CORE_ONLY AND NOT ARG_CORE)
    return()
  endif()
  if(MIMI_FMT_HEADER_ONLY)
    list(TRANSFORM ARG_LIBS REPLACE "^fmt::fmt$" fmt::fmt-header-only)
  endif()
  add_library(mimi_room_${name} STATIC ${ARG_SOURCES})
  add_library(mimi_room::${name} ALIAS mimi_room_${name})
  mimi_defaults(mimi_room_${name})
  list(TRANSFORM ARG_DEPENDS PREPEND mimi_room:: OUTPUT_VARIABLE rooms)
  target_link_libraries(mimi_room_${name} PUBLIC ${MIMI_PUBLIC_LIBS} ${rooms} ${ARG_LIBS})
  mimi_quick_room(mimi_room_${name})
  if(ARG_CORE)
    set_property(GLOBAL APPEND PROPERTY MIMI_CORE_ROOMS ${name})
    set_property(GLOBAL APPEND PROPERTY MIMI_CORE_LIBS ${ARG_LIBS})
    foreach(room IN LISTS ARG_DEPENDS)
      set_property(GLOBAL APPEND PROPERTY MIMI_CORE_DEPENDS "${room} ${name}")
    endforeach()
  endif()
  set_property(GLOBAL APPEND PROPERTY MIMI_ROOMS ${name})
  set_property(GLOBAL APPEND PROPERTY MIMI_LIBS ${ARG_LIBS})
endfunction()

# An archive <target> with the objects of all <rooms>, linking <libs>. The libraries are public:
# an archive cannot resolve them itself.
function(mimi_archive target rooms libs)
  set(objects)
  foreach(room IN LISTS rooms)
    list(APPEND objects $<TARGET_OBJECTS:mimi_room_${room}>)
  endforeach()
  list(REMOVE_DUPLICATES libs)
  add_library(${target} STATIC ${objects})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PUBLIC ${MIMI_PUBLIC_LIBS} ${libs})
endfunction()

# mimi_aggregate(): mimi::core out of the CORE rooms, mimi::mimi out of all.
function(mimi_aggregate)
  get_property(core_rooms GLOBAL PROPERTY MIMI_CORE_ROOMS)
  get_property(core_libs GLOBAL PROPERTY MIMI_CORE_LIBS)
  get_property(core_depends GLOBAL PROPERTY MIMI_CORE_DEPENDS)
  foreach(edge IN LISTS core_depends)
    string(REPLACE " " ";" edge "${edge}")
    list(GET edge 0 lower)
    list(GET edge 1 upper)
    if(NOT lower IN_LIST core_rooms)
      message(FATAL_ERROR "room ${upper} is CORE but depends on ${lower}, which is not")
    endif()
  endforeach()
  mimi_archive(mimi_core "${core_rooms}" "${core_libs}")
  add_library(mimi::core ALIAS mimi_core)
  if(NOT MIMI_CORE_ONLY)
    get_property(rooms GLOBAL PROPERTY MIMI_ROOMS)
    get_property(libs GLOBAL PROPERTY MIMI_LIBS)
    mimi_archive(mimi "${rooms}" "${libs}")
    add_library(mimi::mimi ALIAS mimi)
  endif()
endfunction()

# mimi_c_abi(SOURCES … PER_LIBRARY … VERSION_SCRIPT file), called by bindings/c: the C ABI. The header is
# bindings/c/mimi.h; everyone includes it as <mimi/c/mimi.h>, the path it is installed at.
#
# mimi_c        libmimi.so.1 over all rooms; exports what the version script lists
# mimi_c_core   libmimi_c_core.a, the same shim over mimi::core: functions whose back end is absent
#               return MIMI_UNIMPLEMENTED
#
# PER_LIBRARY: the few files that tell the two apart, by MIMI_C_CORE_ONLY.
function(mimi_c_abi)
  cmake_parse_arguments(ARG "" "VERSION_SCRIPT" "SOURCES;PER_LIBRARY" ${ARGN})
  mimi_check_arguments("mimi_c_abi")
  configure_file(${PROJECT_SOURCE_DIR}/bindings/c/mimi.h
                 ${PROJECT_BINARY_DIR}/include/mimi/c/mimi.h COPYONLY)
  set(includes $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
               $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

  add_library(mimi_c_shim OBJECT ${ARG_SOURCES})
  mimi_defaults(mimi_c_shim)
  target_include_directories(mimi_c_shim PUBLIC ${includes})
  target_link_libraries(mimi_c_shim PRIVATE mimi_core)
  mimi_quick_room(mimi_c_shim)

  add_library(mimi_c_core STATIC $<TARGET_OBJECTS:mimi_c_shim> ${ARG_PER_LIBRARY})
  add_library(mimi::c_core ALIAS mimi_c_core)
  mimi_defaults(mimi_c_core)
  target_include_directories(mimi_c_core PUBLIC ${includes})
  target_compile_definitions(mimi_c_core PRIVATE MIMI_C_CORE_ONLY=1)
  target_link_libraries(mimi_c_core PUBLIC mimi_core)
  mimi_quick_room(mimi_c_core)
  if(MIMI_CORE_ONLY)
    return()
  endif()

  set(objects)
  get_property(rooms GLOBAL PROPERTY MIMI_ROOMS)
  get_property(libs GLOBAL PROPERTY MIMI_LIBS)
  list(REMOVE_DUPLICATES libs)
  foreach(room IN LISTS rooms)
    list(APPEND objects $<TARGET_OBJECTS:mimi_room_${room}>)
  endforeach()
  add_library(mimi_c SHARED $<TARGET_OBJECTS:mimi_c_shim> ${ARG_PER_LIBRARY} ${objects})
  add_library(mimi::c ALIAS mimi_c)
  mimi_defaults(mimi_c)
  target_include_directories(mimi_c PUBLIC ${includes})
  target_compile_definitions(mimi_c PRIVATE MIMI_C_CORE_ONLY=0)
  mimi_quick_room(mimi_c)
  foreach(lib IN LISTS MIMI_PUBLIC_LIBS libs)
    target_link_libraries(mimi_c PRIVATE $<BUILD_INTERFACE:${lib}>)
  endforeach()
  # The distribution's static Abseil is not position independent; its CMake package offers the
  # shared one, which is what a shared library has to use.
  set(script ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_VERSION_SCRIPT})
  target_link_options(mimi_c PRIVATE -Wl,--version-script=${script} -Wl,--no-undefined-version)
  if(NOT MIMI_SANITIZE)  # a sanitizer's own functions come with the program
    target_link_options(mimi_c PRIVATE -Wl,-z,defs)
  endif()
  set_target_properties(mimi_c PROPERTIES
    OUTPUT_NAME mimi SOVERSION 1
    VERSION 1.${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LINK_DEPENDS ${script})
endfunction()

# Tests take this long at most; sanitizers and emulators are slower.
set(MIMI_TEST_TIMEOUT 120 CACHE STRING "Seconds until ctest gives up on one test")

# mimi_add_ctest(<name> [LABELS …] [TIMEOUT s] COMMAND …): one ctest entry with our defaults.
# Exit code 77 means skipped; the reason is in the output.
function(mimi_add_ctest name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS;COMMAND" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT ${MIMI_TEST_TIMEOUT})
  endif()
  add_test(NAME ${name} COMMAND ${ARG_COMMAND})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} SKIP_RETURN_CODE 77
                                          LABELS "${ARG_LABELS}")
endfunction()

# mimi_test(<name> [CORE] SOURCES a_test.cc … [DEPENDS room …] [LIBS target …] [LABELS label …]
#           [TIMEOUT seconds] [ROOT] [REDIS] [NO_MAIN] [OPTIMISED])
#
# One doctest program, test_<name>, and one ctest entry <name> for all of it: a process for each
# TEST_CASE would cost more than the cases do, most of all under sanitizers and emulators. Run
# `build/dev/tests/<room>/test_<name> -tc='*words*'` for a single case.
# CORE: also built in core-only builds (the arm64 cross build). LABELS: `thread` for what
# ThreadSanitizer shall see, `slow`. ROOT: needs tests/support/net_namespace.h: gets the label
# `root` and a main that skips where namespaces cannot be made. REDIS: the same with the label `redis`,
# where no redis-server is. NO_MAIN: the sources bring their own
# main.
# OPTIMISED: also in quick builds (MimiQuickBuild.cmake), for what computes for long.
function(mimi_test name)
  cmake_parse_arguments(ARG "CORE;ROOT;REDIS;NO_MAIN;OPTIMISED" "TIMEOUT"
                        "SOURCES;DEPENDS;LIBS;LABELS" ${ARGN})
  mimi_check_arguments("mimi_test(${name})")
  if(MIMI_CORE_ONLY AND NOT ARG_CORE)
    return()
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  mimi_defaults(test_${name})
  list(TRANSFORM ARG_DEPENDS PREPEND mimi_room:: OUTPUT_VARIABLE rooms)
  target_link_libraries(test_${name} PRIVATE ${rooms} ${ARG_LIBS} ${MIMI_PUBLIC_LIBS}
                                             doctest::doctest)
  if(ARG_ROOT)
    target_link_libraries(test_${name} PRIVATE mimi_doctest_root_main)
    list(APPEND ARG_LABELS root)
  elseif(ARG_REDIS)
    target_link_libraries(test_${name} PRIVATE mimi_doctest_redis_main)
    list(APPEND ARG_LABELS redis)
  elseif(NOT ARG_NO_MAIN)
    target_link_libraries(test_${name} PRIVATE mimi_doctest_main)
  endif()
  if(NOT ARG_OPTIMISED)
    mimi_quick_test(test_${name})
  endif()
  mimi_add_ctest(${name} LABELS ${ARG_LABELS} TIMEOUT ${ARG_TIMEOUT} COMMAND test_${name})
  if("thread" IN_LIST ARG_LABELS)
    set_property(GLOBAL APPEND PROPERTY MIMI_THREAD_TESTS test_${name})
  endif()
endfunction()

# mimi_fuzz(<name> [CORE] SOURCES … [DEPENDS room …] [LIBS …] [CORPUS dir])
#
# One LLVMFuzzerTestOneInput. With MIMI_BUILD_FUZZERS it becomes the libFuzzer program fuzz_<name>;
# in every other build a program of the same name that feeds it each file of the corpus
# (default: corpus/<name>), run by ctest as fuzz_<name>, so that the targets never rot.
function(mimi_fuzz name)
  cmake_parse_arguments(ARG "CORE" "CORPUS" "SOURCES;DEPENDS;LIBS" ${ARGN})
  mimi_check_arguments("mimi_fuzz(${name})")
  if(MIMI_CORE_ONLY AND NOT ARG_CORE)
    return()
  endif()
  if(NOT ARG_CORPUS)
    set(ARG_CORPUS corpus/${name})
  endif()
  add_executable(fuzz_${name} ${ARG_SOURCES})
  mimi_defaults(fuzz_${name})
  list(TRANSFORM ARG_DEPENDS PREPEND mimi_room:: OUTPUT_VARIABLE rooms)
  target_link_libraries(fuzz_${name} PRIVATE ${rooms} ${ARG_LIBS} ${MIMI_PUBLIC_LIBS})
  if(MIMI_BUILD_FUZZERS)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    set_property(GLOBAL APPEND PROPERTY MIMI_FUZZERS fuzz_${name})
    set_property(GLOBAL APPEND_STRING PROPERTY MIMI_FUZZER_LINES
      "${name} $<TARGET_FILE:fuzz_${name}> ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS}\n")
  else()
    target_sources(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/fuzz/replay_main.cc)
    mimi_add_ctest(fuzz_${name} LABELS fuzz
                   COMMAND fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS})
  endif()
endfunction()

# mimi_bench(<name> [CORE] SOURCES … [DEPENDS room …] [LIBS …])
#
# One benchmark program, bench_<name>, on bench/bench.h. scripts/bench runs it from the release
# build; the test suite runs it once with --smoke, to see that it still works.
function(mimi_bench name)
  cmake_parse_arguments(ARG "CORE" "" "SOURCES;DEPENDS;LIBS" ${ARGN})
  mimi_check_arguments("mimi_bench(${name})")
  if(MIMI_CORE_ONLY AND NOT ARG_CORE)
    return()
  endif()
  add_executable(bench_${name} ${ARG_SOURCES})
  mimi_defaults(bench_${name})
  list(TRANSFORM ARG_DEPENDS PREPEND mimi_room:: OUTPUT_VARIABLE rooms)
  target_link_libraries(bench_${name} PRIVATE mimi_bench_main ${rooms} ${ARG_LIBS}
                                              ${MIMI_PUBLIC_LIBS})
  mimi_add_ctest(bench_${name} LABELS bench COMMAND bench_${name} --smoke)
  set_property(GLOBAL APPEND PROPERTY MIMI_BENCHMARKS bench_${name})
endfunction()

# mimi_example(<name> [CORE] SOURCES … LIBS mimi::core|mimi::mimi|mimi::c … [TEST [args …]])
#
# One example program. TEST: ctest runs it with these arguments; it must end by itself.
function(mimi_example name)
  cmake_parse_arguments(ARG "CORE" "" "SOURCES;LIBS;TEST" ${ARGN})
  list(REMOVE_ITEM ARG_KEYWORDS_MISSING_VALUES TEST)
  mimi_check_arguments("mimi_example(${name})")
  if(MIMI_CORE_ONLY AND NOT ARG_CORE)
    return()
  endif()
  add_executable(example_${name} ${ARG_SOURCES})
  set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name})
  # No private include path: an example sees what a user sees.
  target_link_libraries(example_${name} PRIVATE ${ARG_LIBS} mimi_warnings)
  if("TEST" IN_LIST ARGN)
    mimi_add_ctest(example_${name} LABELS example COMMAND example_${name} ${ARG_TEST})
  endif()
endfunction()
