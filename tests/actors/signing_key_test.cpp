// SPDX-License-Identifier: Apache-2.0
#include "actors/signing_key.hpp"

#include <filesystem>
#include <sys/stat.h>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

TEST_CASE("what a key signed is known by its public half",
          "[actors][signing_key][safety]") {
  const auto key = *signing_key::make();
  const auto other = *signing_key::make();
  const auto signature = key->sign("a text");
  REQUIRE(signature);
  CHECK(is_public_key(key->public_key()));
  CHECK(is_signed_by(key->public_key(), "a text", *signature));
  CHECK_FALSE(is_signed_by(key->public_key(), "a texT", *signature));
  CHECK_FALSE(is_signed_by(other->public_key(), "a text", *signature));
  auto wrong = *signature;
  wrong[7] = wrong[7] == '0' ? '1' : '0';
  CHECK_FALSE(is_signed_by(key->public_key(), "a text", wrong));
  CHECK_FALSE(is_signed_by(key->public_key(), "a text", ""));
  CHECK_FALSE(is_signed_by("", "a text", *signature));
  CHECK_FALSE(is_public_key("no key"));
}

TEST_CASE("a key is made once, and for its owner alone",
          "[actors][signing_key][safety]") {
  const scratch_directory home;
  const auto path = home.path() + "/signing.key";
  auto found = std::vector<std::string>(4);
  {
    auto threads = std::vector<std::jthread>{};
    for (auto& public_key : found)
      threads.emplace_back([&] {
        if (const auto key = signing_key::load_or_make(path))
          public_key = (*key)->public_key();
      });
  }
  for (const auto& public_key : found) {
    CHECK(is_public_key(public_key));
    CHECK(public_key == found.front());
  }
  struct stat about {};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  for (const auto& entry : std::filesystem::directory_iterator{home.path()})
    CHECK(entry.path() == path);
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  CHECK(signing_key::load(path).error().code == ec::not_permitted);
}

TEST_CASE("a file that holds no such key is refused", "[actors][signing_key]") {
  const scratch_directory home;
  const auto path = home.path() + "/signing.key";
  REQUIRE(write_durably(path, "no key\n"));
  const auto found = signing_key::load_or_make(path);
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::invalid_request);
  CHECK_THAT(found.error().message, Catch::StartsWith(path));
}
