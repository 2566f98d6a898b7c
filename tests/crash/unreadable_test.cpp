// SPDX-License-Identifier: Apache-2.0
// What cannot be read at a start is not taken for something that was left.
#include <catch2/catch.hpp>

#include "node/storage/file.hpp"
#include "node/storage/sealed_directory.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/store_life.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

TEST_CASE("a flat record that cannot be read costs no image",
          "[crash][flatten][safety]") {
  const scratch_directory home;
  store_life life{home.path() + "/node"};
  REQUIRE(life.open());
  REQUIRE(life.record());
  REQUIRE(life.branch(1, memory_form::flat));
  REQUIRE(life.branch(2, memory_form::diff));
  REQUIRE(life.flatten(2));
  REQUIRE(life.remove(1));
  life.close();
  const auto directory = life.path() + "/snapshots/snap-2";
  const auto text = read_small_file(directory + "/" + manifest_file);
  REQUIRE(text);
  const auto manifest = manifest_from_text(*text, directory);
  REQUIRE(manifest);
  REQUIRE(write_durably(directory + "/flat.json", "unreadable"));
  const auto cleared = clear_leftovers(directory, *manifest);
  REQUIRE(cleared);
  CHECK_FALSE(*cleared);
  CHECK(path_exists(directory + "/" + memory_file));
}
