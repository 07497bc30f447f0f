// The native test binary's entry. Tests mirror native/ room by room.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
