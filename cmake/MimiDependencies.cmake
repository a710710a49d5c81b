# What we use of others. Everything is a distribution package; a missing one is named together with
# the Debian package that brings it.

function(mimi_require name package)
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${name} not found: apt-get install ${package} (scripts/test installs all)")
  endif()
endfunction()

find_package(Threads REQUIRED)

find_package(absl QUIET)
mimi_require(absl libabsl-dev)
if(absl_VERSION VERSION_LESS 20220623)
  message(FATAL_ERROR "Abseil ${absl_VERSION} is too old: 20220623 or newer is needed")
endif()
find_package(fmt QUIET)
mimi_require(fmt libfmt-dev)
find_package(cereal QUIET)
mimi_require(cereal libcereal-dev)

if(MIMI_BUILD_TESTS)
  find_package(doctest QUIET)
  mimi_require(doctest doctest-dev)
endif()

if(NOT MIMI_CORE_ONLY)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(libuv QUIET IMPORTED_TARGET libuv>=1.44)
  mimi_require(libuv "libuv1-dev (1.44 or newer)")
  add_library(mimi_dep::uv ALIAS PkgConfig::libuv)

  find_package(tomlplusplus QUIET)
  mimi_require(tomlplusplus libtomlplusplus-dev)
  find_package(nlohmann_json QUIET)
  mimi_require(nlohmann_json nlohmann-json3-dev)
  # Needed by the program only, so looked for only where src/cli is there to use it.
  if(EXISTS ${PROJECT_SOURCE_DIR}/src/cli/CMakeLists.txt)
    find_package(CLI11 QUIET)
    mimi_require(CLI11 libcli11-dev)
  endif()
endif()

if(MIMI_WITH_REDIS AND NOT MIMI_CORE_ONLY)
  set(without "or configure with -DMIMI_WITH_REDIS=OFF to build without the Redis store")
  pkg_check_modules(hiredis QUIET IMPORTED_TARGET hiredis>=0.14)
  mimi_require(hiredis "libhiredis-dev (0.14 or newer), ${without}")
  # Its _FILE_OFFSET_BITS=64 means nothing to its headers, and would part us from the precompiled ones.
  set_target_properties(PkgConfig::hiredis PROPERTIES INTERFACE_COMPILE_OPTIONS "")
  pkg_check_modules(openssl QUIET IMPORTED_TARGET openssl>=3.0)
  mimi_require(openssl "libssl-dev (3.0 or newer), ${without}")
endif()

if(MIMI_WITH_NETFILTER AND NOT MIMI_CORE_ONLY)
  include(CheckIncludeFile)
  check_include_file(linux/netfilter/nfnetlink_conntrack.h MIMI_HAVE_NFNETLINK)
  if(NOT MIMI_HAVE_NFNETLINK)
    message(FATAL_ERROR "linux/netfilter/nfnetlink_conntrack.h not found: apt-get install "
                        "linux-libc-dev, or configure with -DMIMI_WITH_NETFILTER=OFF to build "
                        "without the conntrack and NFLOG drivers and the netfilter minion")
  endif()
endif()

if(MIMI_WITH_RE2 AND NOT MIMI_CORE_ONLY)
  pkg_check_modules(re2 QUIET IMPORTED_TARGET re2)
  if(NOT re2_FOUND)
    message(FATAL_ERROR "re2 not found: apt-get install libre2-dev, or configure with "
                        "-DMIMI_WITH_RE2=OFF to build without `regex =` in log rules")
  endif()
  # Its -pthread would keep precompiled headers from being used; Threads::Threads brings it.
  set_target_properties(PkgConfig::re2 PROPERTIES INTERFACE_COMPILE_OPTIONS "")
endif()

# The distribution's CMake package of Abseil offers the shared libraries only; the archives lie
# beside them. Their code is not position independent, so they are for programs, not for libmimi.so.
if(MIMI_STATIC)
  if(NOT MIMI_CORE_ONLY)
    message(FATAL_ERROR "MIMI_STATIC needs MIMI_CORE_ONLY=ON: not all that the rest uses is there "
                        "as an archive")
  endif()
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  list(FILTER targets INCLUDE REGEX "^absl::")
  foreach(target IN LISTS targets)
    get_target_property(configuration ${target} IMPORTED_CONFIGURATIONS)
    get_target_property(location ${target} IMPORTED_LOCATION_${configuration})
    if(location MATCHES "^(.+)\\.so(\\.[0-9.]+)?$")
      set_target_properties(${target} PROPERTIES
        IMPORTED_LOCATION_${configuration} ${CMAKE_MATCH_1}.a)
    endif()
  endforeach()
  add_link_options(-static)
endif()
