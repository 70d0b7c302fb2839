#include "t.h"

#include "frame.h"
#include "out.h"

static uint8_t room[256];

static struct out fresh(size_t coalesce)
{
    return (struct out){.buf = room, .room = sizeof room, .coalesce = coalesce};
}

T_TEST(frames_are_put_together_up_to_the_limit_and_never_cut)
{
    struct out o = fresh(25);
    const uint8_t *bytes;
    for (int i = 0; i < 5; i++)
        T_TRUE(out_frame(&o, FRAME_TEXT, true, "0123456789", 10)); /* 12 bytes each */
    T_EQ(out_next(&o, &bytes), 24);
    out_wrote(&o, 24);
    T_EQ(out_next(&o, &bytes), 24);
    out_wrote(&o, 24);
    T_EQ(out_next(&o, &bytes), 12);
    out_wrote(&o, 12);
    T_EQ(out_next(&o, &bytes), 0);
    o = fresh(1);
    T_TRUE(out_frame(&o, FRAME_TEXT, true, "0123456789", 10));
    T_TRUE(out_frame(&o, FRAME_TEXT, true, "0123456789", 10));
    T_EQ(out_next(&o, &bytes), 12);
}

T_TEST(a_partial_write_goes_on_where_it_stopped_before_anything_else)
{
    uint8_t view[24];
    for (size_t i = 0; i < 2; i++) {
        frame_head(view + 12 * i, FRAME_TEXT, true, 10);
        memset(view + 12 * i + 2, 'v', 10);
    }
    struct out o = fresh(1);
    const uint8_t *bytes;
    o.view = view;
    o.view_end = sizeof view;
    T_EQ(out_next(&o, &bytes), 12);
    out_wrote(&o, 5);
    T_TRUE(out_frame(&o, FRAME_PONG, true, "p", 1)); /* may not land inside the frame */
    T_EQ(out_next(&o, &bytes), 7);
    T_TRUE(bytes == view + 5);
    out_wrote(&o, 7);
    T_EQ(out_next(&o, &bytes), 3);
    T_EQ(bytes[0], 0x8A);
    out_wrote(&o, 3);
    T_EQ(out_next(&o, &bytes), 12);
    T_TRUE(bytes == view + 12);
    T_EQ(o.view_frames, 2);
}

T_TEST(what_does_not_fit_is_refused_whole_and_room_comes_back)
{
    struct out o = fresh(1000);
    static char text[200];
    const uint8_t *bytes;
    T_TRUE(out_frame(&o, FRAME_TEXT, true, text, 200));
    T_TRUE(!out_frame(&o, FRAME_TEXT, true, text, 100));
    T_EQ(out_waiting(&o), 204);
    T_EQ(out_next(&o, &bytes), 204);
    out_wrote(&o, 150);
    T_TRUE(out_frame(&o, FRAME_TEXT, true, text, 100)); /* the rest moves to the front */
    T_EQ(out_waiting(&o), 54 + 102);
    T_EQ(out_next(&o, &bytes), 54);
}
