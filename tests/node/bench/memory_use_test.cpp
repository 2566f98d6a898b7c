// SPDX-License-Identifier: Apache-2.0
#include "node/bench/memory_use.hpp"

#include <sys/mman.h>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::bench;

TEST_CASE("a process' shares are read in bytes", "[node][bench]") {
  const auto use = parse_memory_use("55e000-7fff0 ---p 00000000 00:00 0 "
                                    "[rollup]\n"
                                    "Rss:              2000 kB\n"
                                    "Pss:               300 kB\n"
                                    "Pss_Dirty:          70 kB\n"
                                    "Pss_Anon:           50 kB\n"
                                    "Pss_File:          240 kB\n"
                                    "Pss_Shmem:          10 kB\n");
  REQUIRE(use);
  CHECK(*use == memory_use{.pss = 300 << 10, .own = 60 << 10});
}

TEST_CASE("an older kernel's shares are told as such", "[node][bench]") {
  const auto use = parse_memory_use("[rollup]\nPss: 300 kB\n");
  REQUIRE_FALSE(use);
  CHECK(use.error().code == ec::unsupported);
}

TEST_CASE("pages that are written are a process' own", "[node][bench]") {
  constexpr std::size_t bytes = 32u << 20;
  const auto before = read_memory_use(0);
  REQUIRE(before);
  auto* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  REQUIRE(pages != MAP_FAILED);
  const auto after = read_memory_use(0);
  munmap(pages, bytes);
  REQUIRE(after);
  CHECK(after->own >= before->own + bytes);
  CHECK(after->pss >= after->own);
  CHECK_FALSE(read_memory_use(-1));
}
