# What `cmake --install` puts where:
#
#   include/mimi/…                the public headers; include/mimi/c/mimi.h is the C ABI's
#   include/mimi/contract/…       contract suites: run them against your own store or minion
#   lib/libmimi_core.a            mimi::core    pkg-config mimi-core    for firmware
#   lib/libmimi.a                 mimi::mimi    pkg-config mimi         everything
#   lib/libmimi.so.1              mimi::c       pkg-config mimi-c       the C ABI
#   lib/libmimi_c_core.a          mimi::c_core  pkg-config mimi-c-core  the C ABI over the core
#   lib/cmake/mimi                find_package(mimi [COMPONENTS core mimi c c_core])
include(CMakePackageConfigHelpers)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/mimi DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")

# One export file for each component, so that one component can be had where what another needs is
# not installed.
set(mimi_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mimi)
set(mimi_components)
foreach(component IN ITEMS core mimi c c_core)
  if(component STREQUAL "mimi")
    set(target mimi)
  else()
    set(target mimi_${component})
  endif()
  if(NOT TARGET ${target})
    continue()
  endif()
  list(APPEND mimi_components ${component})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${component})
  install(TARGETS ${target} EXPORT mimi_${component}
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT mimi_${component} NAMESPACE mimi:: DESTINATION ${mimi_package_dir}
          FILE mimi-${component}.cmake)
endforeach()
if(TARGET mimi_c_core)
  install(FILES ${PROJECT_SOURCE_DIR}/bindings/c/mimi.h
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mimi/c)
endif()

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/mimi-config.cmake.in ${PROJECT_BINARY_DIR}/mimi-config.cmake
  INSTALL_DESTINATION ${mimi_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mimi-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mimi-config.cmake
              ${PROJECT_BINARY_DIR}/mimi-config-version.cmake
        DESTINATION ${mimi_package_dir})

# The pkg-config modules that stand for CMake targets.
function(mimi_pkgconfig_requires libs out)
  set(modules)
  foreach(lib IN LISTS MIMI_PUBLIC_LIBS libs)
    if(lib MATCHES "^absl::(.+)$")
      list(APPEND modules absl_${CMAKE_MATCH_1})
    elseif(lib MATCHES "^(mimi_dep::uv|PkgConfig::libuv)$")
      list(APPEND modules libuv)
    elseif(lib MATCHES "^PkgConfig::(.+)$")
      list(APPEND modules ${CMAKE_MATCH_1})
    elseif(lib MATCHES "^(fmt::fmt|tomlplusplus::tomlplusplus)$")
      string(REGEX REPLACE ":.*" "" module ${lib})
      list(APPEND modules ${module})
    elseif(NOT lib MATCHES "^(cereal|nlohmann_json|Threads)::|::fmt-header-only$")
      # what is left is headers, or -pthread
      message(FATAL_ERROR "MimiInstall.cmake: say which pkg-config module brings ${lib}")
    endif()
  endforeach()
  list(REMOVE_DUPLICATES modules)
  list(JOIN modules " " modules)
  set(${out} "${modules}" PARENT_SCOPE)
endfunction()

# The files find themselves from where they are, so that an installed tree can be moved.
file(RELATIVE_PATH MIMI_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" MIMI_PC_PREFIX ${MIMI_PC_PREFIX})

# mimi_pkgconfig(<module> <description> <requires> <libs>)
function(mimi_pkgconfig module description requires libs)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/mimi.pc.in ${PROJECT_BINARY_DIR}/${module}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${module}.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

get_property(mimi_core_libs GLOBAL PROPERTY MIMI_CORE_LIBS)
mimi_pkgconfig_requires("${mimi_core_libs}" mimi_core_requires)
mimi_pkgconfig(mimi-core "libmimi for firmware" "${mimi_core_requires}" "-lmimi_core -pthread")
if(TARGET mimi)
  get_property(mimi_libs GLOBAL PROPERTY MIMI_LIBS)
  mimi_pkgconfig_requires("${mimi_libs}" mimi_requires)
  # By file name: -lmimi would find libmimi.so, which has the C functions only.
  mimi_pkgconfig(mimi "libmimi with all back ends" "${mimi_requires}" "-l:libmimi.a -pthread")
endif()
if(TARGET mimi_c)
  mimi_pkgconfig(mimi-c "libmimi for C" "" "-lmimi")
endif()
if(TARGET mimi_c_core)
  mimi_pkgconfig(mimi-c-core "libmimi for C firmware, static" "mimi-core"
                 "-lmimi_c_core -lmimi_core -lstdc++")
endif()
