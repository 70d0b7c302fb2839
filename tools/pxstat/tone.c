/* See tone.h. */
#include "tone.h"

#include "judge.h"

enum tone tone_of_code(int code)
{
    return code == HEALTH_OK ? TONE_GOOD : code == HEALTH_WARNING ? TONE_WARN : TONE_BAD;
}

enum tone tone_of_quality(uint32_t quality)
{
    static const enum tone tones[PX_QUALITY_COUNT] = {
        [PX_LIVE] = TONE_GOOD, [PX_QUIET] = TONE_PLAIN, [PX_CARRIED] = TONE_WARN,
        [PX_GAP] = TONE_WARN,  [PX_STALE] = TONE_BAD,   [PX_CLOSED] = TONE_BAD};
    return quality < PX_QUALITY_COUNT ? tones[quality] : TONE_BAD;
}

enum tone tone_of_level(uint32_t level)
{
    return level == PX_LEVEL_OK ? TONE_PLAIN : level == PX_LEVEL_WARNING ? TONE_WARN : TONE_BAD;
}
