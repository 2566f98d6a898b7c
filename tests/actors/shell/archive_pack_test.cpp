// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/archive_pack.hpp"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/shell/archive_unpack.hpp"
#include "tests/actors/shell/temporary_directory.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;
using forkfleet::test::temporary_directory;

namespace fs = std::filesystem;

TEST_CASE("a directory that was packed is the same when it is unpacked",
          "[actors][shell][copy]") {
  const temporary_directory place;
  const auto from = place.path + "/from";
  fs::create_directories(from + "/sub/deeper");
  std::ofstream{from + "/sub/file"} << "content";
  std::ofstream{from + "/" + std::string(200, 'n')} << "a long name";
  fs::create_symlink("sub/file", from + "/link");
  ::chmod((from + "/sub/file").c_str(), 04755);
  REQUIRE(::mkfifo((from + "/fifo").c_str(), 0600) == 0);
  {
    auto sparse = std::ofstream{from + "/sparse"};
    sparse << "begin";
  }
  fs::resize_file(from + "/sparse", 64u << 20);
  const auto archive = place.path + "/tar";
  const auto what = pack(from, "name", archive, [] { return false; });
  REQUIRE(what);
  CHECK(what->left_out == 1);
  CHECK(what->bytes < 1u << 20);
  REQUIRE(what->sparse.size() == 1);
  CHECK(what->sparse[0].path == from + "/sparse");
  CHECK(what->sparse[0].parts == path_parts{"name", "sparse"});
  const auto to = place.path + "/to";
  fs::create_directory(to);
  const auto back = unpack(archive, "name", to, {}, [] { return false; });
  REQUIRE(back);
  CHECK(fs::file_size(to + "/name/sub/file") == 7);
  CHECK(fs::file_size(to + "/name/" + std::string(200, 'n')) == 11);
  CHECK(fs::read_symlink(to + "/name/link") == "sub/file");
  CHECK(fs::is_directory(to + "/name/sub/deeper"));
  CHECK(fs::file_size(to + "/name/sparse") == 0);
  CHECK_FALSE(fs::exists(fs::symlink_status(to + "/name/fifo")));
}

TEST_CASE("packing can be stopped", "[actors][shell][copy]") {
  const temporary_directory place;
  std::ofstream{place.path + "/file"} << "x";
  const auto what = pack(place.path, "name", place.path + "/../stopped-tar",
                         [] { return true; });
  fs::remove(place.path + "/../stopped-tar");
  REQUIRE_FALSE(what);
  CHECK(what.error().code == ec::cancelled);
}
