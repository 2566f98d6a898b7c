// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/churned_pages.hpp"

#include <cstring>
#include <sys/mman.h>
#include <vector>

#include <catch2/catch.hpp>

using namespace forkfleet::guest;

namespace {

constexpr size_t pages = 64;

// Pages as the guest has them.
struct churn_fixture {
  std::byte* memory = static_cast<std::byte*>(
    mmap(nullptr, pages* page_size, PROT_READ | PROT_WRITE,
         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  findings found = {};
  churned_pages churned{{memory, pages* page_size}, found};

  ~churn_fixture() { munmap(memory, pages * page_size); }

  // The page of that content; past the last one when there is none.
  size_t find(bool is_zero) const {
    const std::vector<std::byte> zeros(page_size);
    size_t page = 0;
    while (
      page < pages
      && (std::memcmp(memory + page * page_size, zeros.data(), page_size) == 0)
           != is_zero)
      ++page;
    return page;
  }
};

} // namespace

TEST_CASE_METHOD(churn_fixture, "pages that were only churned are right",
                 "[examples][churned_pages]") {
  churned.change(20000);
  churned.sweep(pages);
  CHECK(churned.sweeps() == 1);
  CHECK(churned.changes() == 20000);
  CHECK(found.errors == 0);
  CHECK(find(true) < pages);
  CHECK(find(false) < pages);
}

TEST_CASE_METHOD(churn_fixture, "a page that is older than its table is found",
                 "[examples][churned_pages][safety]") {
  churned.change(1000);
  const bool is_zeroed = GENERATE(true, false);
  auto* page = memory + find(is_zeroed) * page_size;
  std::vector<std::byte> older(page, page + page_size);
  // Of a zeroed page its content before, or the other way round.
  if (is_zeroed)
    std::memset(page + 8, 1, 8);
  else
    std::memset(page, 0, page_size);
  churned.sweep(pages);
  CHECK(found.errors == 1);
  CHECK(found.first.find("should hold") != std::string::npos);
  std::memcpy(page, older.data(), page_size);
  churned.sweep(pages);
  CHECK(found.errors == 1);
}
