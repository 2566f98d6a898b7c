// SPDX-License-Identifier: Apache-2.0
#include "config/source_text.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

/// A directory that is removed with it.
struct folder {
  std::string path = "/tmp/forkfleet-config-XXXXXX";
  folder() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  ~folder() { std::filesystem::remove_all(path); }
};

std::string refusal(const std::string& path) {
  const auto text = read_text(path);
  return text ? "" : text.error().message;
}

} // namespace

TEST_CASE("a regular file is read whole", "[config][source_text]") {
  folder here;
  const auto path = here.path + "/a";
  std::ofstream{path, std::ios::binary} << std::string("a\0b", 3);
  CHECK(read_text(path) == std::string("a\0b", 3));
}

TEST_CASE("a file may have 1 MiB and not one byte more",
          "[config][source_text]") {
  folder here;
  const auto path = here.path + "/a";
  std::ofstream{path} << std::string(file_bytes_max, 'x');
  CHECK(read_text(path)->size() == file_bytes_max);
  std::ofstream{path, std::ios::app} << 'x';
  CHECK(refusal(path) == "has more than 1048576 bytes");
}

TEST_CASE("what is no regular file is refused at once",
          "[config][source_text]") {
  folder here;
  CHECK(refusal(here.path) == "is not a regular file");
  CHECK(refusal("/dev/zero") == "is not a regular file");
  CHECK(refusal(here.path + "/none")
        == "cannot be read: No such file or directory");
}

TEST_CASE("only well-formed UTF-8 passes", "[config][source_text][safety]") {
  CHECK_FALSE(find_bad_utf8("a\u00e9\u20ac\U0001F600"));
  CHECK(find_bad_utf8("a\xff") == 1u);
  CHECK(find_bad_utf8("\xc0\xaf") == 0u);         // overlong
  CHECK(find_bad_utf8("\xe0\x80\xaf") == 0u);     // overlong
  CHECK(find_bad_utf8("x\xed\xa0\x80") == 1u);    // surrogate
  CHECK(find_bad_utf8("\xf4\x90\x80\x80") == 0u); // beyond U+10FFFF
  CHECK(find_bad_utf8("ab\xe2\x82") == 2u);       // cut off
  CHECK(find_bad_utf8("\x80") == 0u);
}

TEST_CASE("control characters are found, line ends are not",
          "[config][source_text]") {
  CHECK_FALSE(find_control("a\tb\r\n"));
  CHECK(find_control(std::string_view{"a\0b", 3}) == 1u);
  CHECK(find_control("ab\x7f") == 2u);
  CHECK_FALSE(is_plain_text("a\tb"));
  CHECK_FALSE(is_plain_text("a\xff"));
  CHECK(is_plain_text("plain \u00e9"));
}
