// SPDX-License-Identifier: Apache-2.0
// The fleet file, as somebody may have written it.
#include "config/load.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace forkfleet;

FORKFLEET_FUZZ(fleet_file) {
  // No variable is set: what is loaded depends on nothing but the bytes.
  const auto nothing = [](const std::string&) {
    return std::optional<std::string>{};
  };
  const auto loaded =
    config::load_text(test::text_of(bytes), "/fuzz/fleet.yaml", nothing);
  test::promise(loaded.fleet.has_value() == loaded.problems.empty());
  test::promise(loaded.problems.size() <= config::problems_max);
  if (!loaded.fleet)
    return;
  // What is shown of a good file is that file.
  const auto shown = config::show(*loaded.fleet);
  const auto again = config::load_text(shown, "/fuzz/fleet.yaml", nothing);
  test::promise(again.fleet.has_value() && *again.fleet == *loaded.fleet);
}
