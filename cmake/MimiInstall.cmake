# What `cmake --install` puts where.

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/mimi DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
