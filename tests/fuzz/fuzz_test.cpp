// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/fuzz/fuzz_target.hpp"

using namespace forkfleet::test;

namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t corpus_file_bytes_max = 64u << 10;

std::vector<uint8_t> content_of(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

TEST_CASE("no decoder of foreign bytes breaks over its corpus",
          "[fuzz][corpus][safety]") {
  REQUIRE_FALSE(fuzz_targets().empty());
  for (const auto& [name, run] : fuzz_targets()) {
    const auto corpus = fs::path{"tests/fuzz/corpus"} / name;
    CAPTURE(name);
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator{corpus}) {
      CAPTURE(entry.path());
      CHECK(entry.file_size() <= corpus_file_bytes_max);
      const auto bytes = content_of(entry.path());
      run(bytes);
      // And with its end cut off, and one byte wrong.
      for (const std::size_t part : {2u, 3u, 7u})
        run(fuzz_bytes{bytes}.first(bytes.size() / part));
      for (std::size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 16) {
        auto wrong = bytes;
        wrong[at] ^= 0x20;
        run(wrong);
      }
      ++files;
    }
    CHECK(files > 0);
  }
}
