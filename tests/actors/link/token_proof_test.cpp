// SPDX-License-Identifier: Apache-2.0
#include "actors/link/token_proof.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

namespace fs = std::filesystem;

struct token_fixture {
  token_fixture() {
    auto name = (fs::temp_directory_path() / "forkfleet-token-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory = name;
  }
  ~token_fixture() {
    auto ignored = std::error_code{};
    fs::remove_all(directory, ignored);
  }
  std::string directory;
};

} // namespace

TEST_CASE_METHOD(token_fixture, "a token is a file that its owner alone reads",
                 "[actors][token_proof][safety]") {
  const auto path = make_token(directory, "ann", access_role::operate);
  REQUIRE(path);
  struct stat about = {};
  REQUIRE(::stat(path->c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  const auto token = read_token(*path);
  REQUIRE(token);
  CHECK(token->name == "ann");
  CHECK(token->role == access_role::operate);
  CHECK(token->secret.size() == 64);
  CHECK_FALSE(make_token(directory, "ann", access_role::admin));
  ::chmod(path->c_str(), 0640);
  const auto open = read_token(*path);
  REQUIRE_FALSE(open);
  CHECK(open.error().message.find("chmod 600") != std::string::npos);
}

TEST_CASE_METHOD(token_fixture, "what is no token is refused",
                 "[actors][token_proof][safety]") {
  CHECK_FALSE(make_token(directory, "../up", access_role::admin));
  CHECK_FALSE(make_token(directory, "", access_role::admin));
  CHECK_FALSE(make_token(directory, "none", access_role::none));
  const auto path = directory + "/x.token";
  const auto* text = GENERATE(
    "", "forkfleet-token-1 x viewer short", "other-1 x viewer 00",
    "forkfleet-token-1 x king "
    "0000000000000000000000000000000000000000000000000000000000000000",
    "forkfleet-token-1 ../x viewer "
    "0000000000000000000000000000000000000000000000000000000000000000");
  std::ofstream{path} << text;
  ::chmod(path.c_str(), 0600);
  CHECK_FALSE(read_token(path));
  CHECK_FALSE(read_token(directory));
  CHECK_FALSE(read_token("/dev/zero"));
}

TEST_CASE("a proof holds for one exchange, one side and one secret",
          "[actors][token_proof][safety]") {
  const auto base = token_exchange{.secret = "s",
                                   .name = "ann",
                                   .dialler_nonce = "n1",
                                   .listener_nonce = "n2",
                                   .endpoints = "a:1 b:2"};
  const auto proof = prove(base, token_side::dialler);
  CHECK(is_proof(base, token_side::dialler, proof));
  CHECK_FALSE(is_proof(base, token_side::listener, proof));
  CHECK_FALSE(is_proof(base, token_side::dialler, proof.substr(1)));
  CHECK_FALSE(is_proof(base, token_side::dialler, ""));
  for (const auto part :
       {&token_exchange::secret, &token_exchange::name,
        &token_exchange::dialler_nonce, &token_exchange::listener_nonce,
        &token_exchange::endpoints}) {
    auto other = base;
    other.*part = "x";
    CHECK_FALSE(is_proof(other, token_side::dialler, proof));
  }
  // What moves from one text to the next is another exchange.
  auto moved = base;
  moved.dialler_nonce = "n1n";
  moved.listener_nonce = "2";
  CHECK_FALSE(is_proof(moved, token_side::dialler, proof));
}
