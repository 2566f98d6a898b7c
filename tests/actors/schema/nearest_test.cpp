// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/nearest.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::schema;

TEST_CASE("a swap, an insertion and a deletion are one edit each",
          "[actors][nearest]") {
  CHECK(edit_distance("branch", "branch") == 0);
  CHECK(edit_distance("brnach", "branch") == 1);
  CHECK(edit_distance("branche", "branch") == 1);
  CHECK(edit_distance("brach", "branch") == 1);
  CHECK(edit_distance("bronch", "branch") == 1);
  CHECK(edit_distance("", "abc") == 3);
}

TEST_CASE("case and the kind of dash make no distance", "[actors][nearest]") {
  CHECK(edit_distance("Pause-Max", "pause_max") == 0);
}

TEST_CASE("the nearest known word is found, and none that is far",
          "[actors][nearest]") {
  CHECK(nearest("sandbx", {"name", "sandbox", "host"}) == "sandbox");
  CHECK(nearest("initrdd", {"initrd", "kernel"}) == "initrd");
  CHECK_FALSE(nearest("zebra", {"name", "sandbox", "host"}));
  CHECK_FALSE(nearest("x", {"a", "b"}));
  CHECK_FALSE(nearest("word", {}));
}

TEST_CASE("what is far from all known words lists them", "[actors][nearest]") {
  CHECK(suggestion("ful", {"auto", "full"}) == "did you mean 'full'?");
  CHECK(suggestion("zebra", {"auto", "full"}) == "known: auto, full");
  CHECK(suggestion("zebra", {}).empty());
  const std::vector<std::string_view> many(40, "word");
  CHECK(suggestion("zebra", many).ends_with(", ..."));
}

TEST_CASE("a hostile word is clipped between characters and made printable",
          "[actors][nearest][safety]") {
  CHECK(in_quotes("plain") == "'plain'");
  CHECK(in_quotes("a\x1b[31m\n") == "'a?[31m?'");
  const auto clipped = in_quotes(std::string(63, 'a') + "\u20ac\u20ac");
  CHECK(clipped == "'" + std::string(63, 'a') + "...'");
  const std::string huge(1 << 20, 'b');
  CHECK(edit_distance(huge, huge) == 0);
}
