# Writes a C file that holds files of web/ as arrays: cmake -DOUT=x.c -DDIR=web -P embed.cmake
# What is served, and as which type, stands here and nowhere else.

set(arrays "")
set(table "")
set(number 0)

function(embed type)
    foreach(file ${ARGN})
        get_filename_component(name ${file} NAME)
        file(READ ${DIR}/${file} bytes HEX)
        string(REGEX REPLACE "(................................)" "\\1\n    " bytes "${bytes}")
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
        string(APPEND arrays
            "static const unsigned char bytes_${number}[] = {\n    ${bytes}\n};\n")
        string(APPEND table
            "    {\"/${name}\", \"${type}\", bytes_${number}, sizeof bytes_${number}},\n")
        math(EXPR number "${number} + 1")
    endforeach()
    set(arrays "${arrays}" PARENT_SCOPE)
    set(table "${table}" PARENT_SCOPE)
    set(number ${number} PARENT_SCOPE)
endfunction()

embed("text/html; charset=utf-8" index.html login.html)
embed("text/javascript; charset=utf-8"
    app.js charts.js format.js login.js tables.js vendor/uPlot.iife.min.js)
embed("text/css; charset=utf-8" style.css vendor/uPlot.min.css)
embed("image/svg+xml" icon.svg)
embed("text/plain; charset=utf-8" vendor/uPlot.LICENSE)

file(WRITE ${OUT} "/* Made by embed.cmake. */\n#include \"files.h\"\n\n${arrays}
const struct file files[] = {\n${table}};\nconst size_t files_count = ${number};\n")
