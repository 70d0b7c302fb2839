# Writes a C file with the module that writes each counter, from the tables that declare them; the
# lint tests see to it that those tell the truth:
# cmake -DOUT=x.c -DFEEDER=feeder/counters.h -DBUS=libbus/include/px/writer.h -P counter_writers.cmake

set(table "")
set(row "\n +X\\(([a-z_]+),")
file(READ ${BUS} text)
string(REGEX MATCHALL "${row}" rows "${text}")
foreach(match ${rows})
    string(REGEX REPLACE "${row}" "\\1" name "${match}")
    string(APPEND table "    {\"${name}\", \"libbus\"},\n")
endforeach()
set(module "")
set(section "\n +/\\* ([a-z_]+\\.c) \\*/")
file(READ ${FEEDER} text)
string(REGEX MATCHALL "${row}|${section}" rows "${text}")
foreach(match ${rows})
    if(match MATCHES "${section}")
        set(module feeder/${CMAKE_MATCH_1})
    elseif(match MATCHES "${row}")
        string(APPEND table "    {\"${CMAKE_MATCH_1}\", \"${module}\"},\n")
    endif()
endforeach()

file(WRITE ${OUT} "/* Made by counter_writers.cmake. */
#include <string.h>

#include \"meaning.h\"

static const struct {
    const char *counter, *module;
} writers[] = {
${table}};

const char *meaning_counter_writer(const char *name)
{
    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++)
        if (strcmp(writers[i].counter, name) == 0)
            return writers[i].module;
    return NULL;
}
")
