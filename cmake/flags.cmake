# Compiler flags of the house. Every target calls px_flags(target).

set(PX_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wvla)
set(PX_WARNINGS_C -Wstrict-prototypes -Wmissing-prototypes)

function(px_flags target)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE PX_VERSION="${PROJECT_VERSION}")
    target_compile_options(${target} PRIVATE ${PX_WARNINGS} -fno-strict-aliasing
        $<$<COMPILE_LANGUAGE:C>:${PX_WARNINGS_C}>)
    if(CMAKE_C_COMPILER_ID MATCHES Clang)
        target_compile_options(${target} PRIVATE
            $<$<COMPILE_LANGUAGE:C>:-Wmissing-variable-declarations>)
    endif()
    if(PX_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
    if(PX_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${PX_SANITIZE} -fno-omit-frame-pointer)
        target_link_options(${target} PRIVATE -fsanitize=${PX_SANITIZE})
        # gcc 12 says that it does not model fences; the race tests use atomic payload words, so
        # what is left to it is what we want judged.
        if(PX_SANITIZE MATCHES thread AND CMAKE_C_COMPILER_ID STREQUAL GNU)
            target_compile_options(${target} PRIVATE -Wno-tsan)
        endif()
    endif()
endfunction()
