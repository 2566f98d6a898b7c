// SPDX-License-Identifier: Apache-2.0
// The preload library in a plain program.
#include "node/preload/preload.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <catch2/catch.hpp>

#include "node/qemu/overlay_file.hpp"
#include "node/qemu/process.hpp"
#include "tests/support/memory_chain.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint64_t page = guest_page_bytes;
constexpr uint64_t bytes = 64 * page;

// A base, a diff over it, and a program that maps both.
struct overlay_fixture {
  scratch_directory home = {};
  std::string base = home.path() + "/base";
  std::string text_path = home.path() + "/overlay";
  memory_layout layout = {};

  overlay_fixture() {
    write(base, std::string(bytes, 'b'));
    auto sink = packed_sink{home.path() + "/diff"};
    const auto two = std::vector<uint8_t>(2 * page, 'd');
    REQUIRE(sink.write(7 * page, two));
    REQUIRE(sink.zero({8 * page, 9 * page}));
    REQUIRE(sink.write(63 * page, std::span{two}.first(page)));
    layout = sink.over(flat_layout(base, bytes));
    write(text_path, qemu::overlay_text(layout).value());
  }

  static void write(const std::string& path, const std::string& text) {
    std::ofstream{path, std::ios::binary} << text;
  }

  static std::string read(const std::string& path) {
    auto file = std::ifstream{path, std::ios::binary};
    return {std::istreambuf_iterator<char>(file), {}};
  }

  status run(uint64_t size = bytes) const {
    const auto programs =
      std::filesystem::read_symlink("/proc/self/exe").parent_path();
    return qemu::run_to_end(
      {"/usr/bin/env",
       "LD_PRELOAD=" + (programs / preload::library_file).string(),
       std::string{preload::overlay_variable} + "=" + text_path,
       (programs / "map_probe").string(), base, std::to_string(size),
       home.path() + "/output"},
      std::chrono::steady_clock::now() + std::chrono::seconds{30});
  }
};

} // namespace

TEST_CASE_METHOD(overlay_fixture,
                 "a program that maps the base finds the chain's memory",
                 "[node][preload]") {
  const auto ran = run();
  INFO((ran ? "" : to_string(ran.error())));
  REQUIRE(ran);
  auto expected = std::vector<uint8_t>(bytes);
  REQUIRE(layout_image{layout}.read(0, expected));
  const auto found = read(home.path() + "/output");
  CHECK(
    std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
               [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; }));
  CHECK(read(base) == std::string(bytes, 'b'));
}

TEST_CASE_METHOD(overlay_fixture,
                 "an overlay that is not right maps nothing at all",
                 "[node][preload][safety]") {
  SECTION("it was cut off") {
    write(text_path, read(text_path).substr(0, 60));
  }
  SECTION("it is not there") {
    std::filesystem::remove(text_path);
  }
  SECTION("a diff of the chain is not there") {
    std::filesystem::remove(home.path() + "/diff");
  }
  SECTION("a diff of the chain is too short") {
    std::filesystem::resize_file(home.path() + "/diff", page);
  }
  const auto ran = run();
  REQUIRE_FALSE(ran);
  CHECK(ran.error().message.find("forkfleet-preload: ") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(home.path() + "/output"));
}

TEST_CASE_METHOD(overlay_fixture, "a part of the base cannot be mapped alone",
                 "[node][preload][safety]") {
  const auto ran = run(bytes - page);
  REQUIRE_FALSE(ran);
  CHECK(ran.error().message.find("as a whole") != std::string::npos);
}
