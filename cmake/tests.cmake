# One ctest test per promise. A C test file holds T_TEST(promise) { ... } (tests/t.h), a Python file
# holds def test_promise(...): both are found in the source at configure time, so that ctest names
# them <folder>.<module>.<promise> and runs each in a process of its own.

find_program(PX_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

# px_c_test(FOLDER libbus SOURCE seq_test.c LABEL unit [TIMEOUT 60] [LIBS ...] [EXTRA more.c ...])
function(px_c_test)
    cmake_parse_arguments(T "" "FOLDER;SOURCE;LABEL;TIMEOUT" "LIBS;EXTRA" ${ARGN})
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 60)
    endif()
    get_filename_component(stem ${T_SOURCE} NAME_WE)
    string(REGEX REPLACE "_test$" "" module ${stem})
    set(target test_${T_FOLDER}_${module})
    add_executable(${target} ${T_SOURCE} ${T_EXTRA})
    px_flags(${target})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(${target} PRIVATE ${T_LIBS} PkgConfig::CMOCKA)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${T_SOURCE})
    file(STRINGS ${T_SOURCE} lines REGEX "^T_TEST\\([a-z0-9_]+\\)")
    foreach(line ${lines})
        string(REGEX REPLACE "^T_TEST\\(([a-z0-9_]+)\\).*" "\\1" promise ${line})
        set(name ${T_FOLDER}.${module}.${promise})
        add_test(NAME ${name} COMMAND ${target} ${promise})
        set_tests_properties(${name} PROPERTIES LABELS ${T_LABEL} TIMEOUT ${T_TIMEOUT}
            SKIP_RETURN_CODE 77 ENVIRONMENT "${PX_TEST_ENV}")
    endforeach()
endfunction()

# One run of pytest. It exits 0 for a skipped test: the wrapper turns that into 77, which ctest reports.
macro(px_py_node name node timeout)
    add_test(NAME ${name} COMMAND ${PX_PYTHON} ${PROJECT_SOURCE_DIR}/tests/run_pytest.py
        ${CMAKE_CURRENT_SOURCE_DIR}/${node})
    set_tests_properties(${name} PROPERTIES LABELS ${T_LABEL} TIMEOUT ${timeout} SKIP_RETURN_CODE 77
        ENVIRONMENT "PX_BUILD=${CMAKE_BINARY_DIR};PX_SOURCE=${PROJECT_SOURCE_DIR};${PX_TEST_ENV}")
    if(T_SERIAL)
        set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
    endif()
endmacro()

# px_py_test(FOLDER system SOURCE test_restart.py LABEL system [TIMEOUT 120] [SERIAL])
function(px_py_test)
    cmake_parse_arguments(T "SERIAL" "FOLDER;SOURCE;LABEL;TIMEOUT" "" ${ARGN})
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 120)
    endif()
    get_filename_component(stem ${T_SOURCE} NAME_WE)
    string(REGEX REPLACE "^test_" "" module ${stem})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${T_SOURCE})
    file(STRINGS ${T_SOURCE} lines REGEX "^def test_[a-z0-9_]+\\(")
    # Starting pytest takes longer than most of these tests, so that under sanitizers, where all runs
    # again, a file is one test. The longest begin first.
    list(LENGTH lines count)
    if(PX_SANITIZE AND count GREATER 0)
        px_py_node(${T_FOLDER}.${module} ${T_SOURCE} 1200)
        set_tests_properties(${T_FOLDER}.${module} PROPERTIES COST ${count})
        return()
    endif()
    foreach(line ${lines})
        string(REGEX REPLACE "^def test_([a-z0-9_]+)\\(.*" "\\1" promise ${line})
        px_py_node(${T_FOLDER}.${module}.${promise} ${T_SOURCE}::test_${promise} ${T_TIMEOUT})
    endforeach()
endfunction()

# Recorded frames are read from beside the checkout and are never part of it.
if(DEFINED ENV{PX_CAPTURES})
    set(captures $ENV{PX_CAPTURES})
else()
    set(captures ${PROJECT_SOURCE_DIR}/../shared/captures)
endif()
set(PX_TEST_ENV "PX_CAPTURES=${captures}")
if(PX_SANITIZE)
    list(APPEND PX_TEST_ENV "ASAN_OPTIONS=detect_leaks=1:abort_on_error=0"
        "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
        "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
endif()
