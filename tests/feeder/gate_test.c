#include "t.h"
T_TEST(x){}
