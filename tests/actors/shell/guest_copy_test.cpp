// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/guest_copy.hpp"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "actors/shell/content_hash.hpp"
#include "actors/shell/local_file.hpp"
#include "tests/actors/shell/temporary_directory.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;
using forkfleet::test::temporary_directory;

namespace fs = std::filesystem;

TEST_CASE("a place is in a guest by its colon", "[actors][shell][copy]") {
  const auto [text, sandbox, path] =
    GENERATE(table<std::string, std::string, std::string>({
      {"kid:/root/a", "kid", "/root/a"},
      {"kid:/root/a:b", "kid", "/root/a:b"},
      {"./kid:/root", "", "./kid:/root"},
      {"/a:b", "", "/a:b"},
      {"a", "", "a"},
      {"-", "", "-"},
      {":/a", "", ":/a"},
      {"kid:", "kid", ""},
    }));
  const auto place = parse_place(text);
  CHECK(place.sandbox == sandbox);
  CHECK(place.path == path);
}

TEST_CASE("a hash is SHA-256", "[actors][shell][copy]") {
  auto hash = content_hash{};
  hash.add("a");
  hash.add("bc");
  CHECK(hash.finish()
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a file has its name when it is whole",
          "[actors][shell][copy][safety]") {
  const temporary_directory place;
  const auto target = place.path + "/result";
  {
    auto half = unfinished_file::create(target, "other");
    REQUIRE(half);
    REQUIRE(half->write("half"));
    CHECK_FALSE(fs::exists(target));
  }
  CHECK(fs::is_empty(place.path));
  auto whole = unfinished_file::create(place.path, "result");
  REQUIRE(whole);
  REQUIRE(whole->write("all of it"));
  REQUIRE(whole->finish(0750));
  CHECK(whole->path() == target);
  struct stat known {};
  REQUIRE(::stat(target.c_str(), &known) == 0);
  CHECK((known.st_mode & 07777) == 0750);
  const auto again = local_file::open(target);
  REQUIRE(again);
  CHECK(again->mode() == 0750);
  CHECK(again->read(3).value() == "all");
  CHECK(again->read(100).value() == " of it");
  CHECK(again->read(100).value().empty());
}

TEST_CASE("what is no file is refused by name", "[actors][shell][copy]") {
  const temporary_directory place;
  const auto directory = local_file::open(place.path);
  REQUIRE_FALSE(directory);
  CHECK(directory.error().message.find("-r") != std::string::npos);
  CHECK_FALSE(local_file::open(place.path + "/none"));
  CHECK_FALSE(local_file::open("/dev/zero"));
  CHECK_FALSE(unfinished_file::create(place.path + "/none/x", "x"));
}
