// SPDX-License-Identifier: Apache-2.0
// The overlay's text, its reader, and what the library maps with it.
#include "node/preload/overlay.hpp"

#include <catch2/catch.hpp>

#include "node/qemu/overlay_file.hpp"

using namespace forkfleet;
using namespace forkfleet::preload;

namespace {

memory_layout layout() {
  return {.bytes = 1 << 20,
          .files = {"/base", "/diff one"},
          .segments = {{0, 4096, std::size_t{0}, 0},
                       {4096, 8192, std::size_t{1}, 12288},
                       {12288, 4096, {}, 0},
                       {16384, (1 << 20) - 16384, std::size_t{0}, 16384}}};
}

} // namespace

TEST_CASE("an overlay has what is not the base's, and is read back",
          "[node][preload][overlay]") {
  const auto text = qemu::overlay_text(layout());
  REQUIRE(text);
  auto x = overlay{};
  REQUIRE(read_overlay(*text, x));
  CHECK(x.memory_bytes == 1 << 20);
  CHECK(x.base == "/base");
  CHECK(x.file_count == 2);
  CHECK(x.files[1] == "/diff one");
  auto runs = x.runs;
  auto run = overlay_run{};
  REQUIRE(next_run(runs, run));
  CHECK(run.address == 4096);
  CHECK(run.bytes == 8192);
  CHECK(run.file == 1);
  CHECK(run.offset == 12288);
  REQUIRE(next_run(runs, run));
  CHECK(run.is_zero);
  CHECK_FALSE(next_run(runs, run));
}

TEST_CASE("an overlay that was cut off anywhere is not taken",
          "[node][preload][overlay][safety]") {
  const auto text = qemu::overlay_text(layout()).value();
  for (std::size_t size = 0; size < text.size(); ++size) {
    auto x = overlay{};
    CHECK_FALSE(read_overlay(std::string_view{text}.substr(0, size), x));
  }
}

TEST_CASE("an overlay with a run that cannot be is not taken",
          "[node][preload][overlay][safety]") {
  const auto* runs = GENERATE(
    "run 1 4096 0 0\nend 1\n", "run 0 4096 2 0\nend 1\n",
    "run 0 0 0 0\nend 1\n", "run 0 4096 0 100\nend 1\n",
    "run 0 2097152 0 0\nend 1\n", "run 4096 4096 0 0\nrun 0 4096 0 0\nend 2\n",
    "run 0 8192 0 0\nzero 4096 4096\nend 2\n", "run 0 4096 0\nend 1\n",
    "end 0\nrest\n", "run 0 4096 0 18446744073709547520\nend 1\n",
    "run 0 99999999999999999999 0 0\nend 1\n");
  const auto text =
    "forkfleet overlay 1\nmemory 1048576\nbase /b\nfile /b\nfile /d\n"
    + std::string{runs};
  CAPTURE(text);
  auto x = overlay{};
  CHECK_FALSE(read_overlay(text, x));
}
