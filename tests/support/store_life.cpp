// SPDX-License-Identifier: Apache-2.0
#include "tests/support/store_life.hpp"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <utility>

#include "actors/durable_counter.hpp"
#include "node/recovery.hpp"
#include "node/storage/file.hpp"

namespace forkfleet::test {

namespace {

constexpr uint64_t pages = life_memory_bytes / guest_page_bytes;
constexpr uint64_t vmstate_guess = 64 << 10;
constexpr uint64_t layer_pages = 4;

/// Whether the guest changed this page just before the branch `number`.
bool changes(unsigned number, uint64_t page) {
  if (number == 1)
    return page % 2 == 0;
  return (number * 2654435761u + page * 40503u) % 7 == 0;
}

/// The last branch, up to `number`, before which it changed; 0: never.
unsigned last_change(unsigned number, uint64_t page) {
  while (number > 0 && !changes(number, page))
    --number;
  return number;
}

std::vector<uint8_t> page_of(unsigned changed, uint64_t page) {
  const bool is_zero =
    changed == 0 || (changed > 1 && (changed + page) % 5 == 0);
  const auto value =
    is_zero ? 0 : static_cast<uint8_t>(1 + (changed * 31 + page * 7) % 255);
  return std::vector<uint8_t>(guest_page_bytes, static_cast<uint8_t>(value));
}

std::string text_of(unsigned number) {
  return std::to_string(number);
}

} // namespace

std::vector<uint8_t> memory_of(unsigned number) {
  std::vector<uint8_t> result;
  for (uint64_t page = 0; page < pages; ++page) {
    const auto bytes = page_of(last_change(number, page), page);
    result.insert(result.end(), bytes.begin(), bytes.end());
  }
  return result;
}

bool has_layer(unsigned number) {
  return number % 4 == 2;
}

std::string layer_of(unsigned number) {
  std::string result;
  for (uint64_t page = 0; page < layer_pages; ++page) {
    const auto bytes = page_of(number + 1, page);
    result.append(bytes.begin(), bytes.end());
  }
  return result;
}

std::string layer_name_of(unsigned number) {
  return "layer-" + text_of(number) + ".qcow2";
}

unsigned number_of(const snapshot_tag& tag) {
  const auto digits = tag.value.substr(tag.value.rfind('-') + 1);
  unsigned number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

store_life::store_life(std::string path, teller tell)
  : path_{std::move(path)}, tell_{std::move(tell)} {}

status store_life::open() {
  const auto data = data_directory::open(path_);
  if (!data)
    return tl::unexpected(data.error());
  if (auto next = durable_counter{(*data)->incarnation()}.next(); !next)
    return tl::unexpected(next.error());
  auto store = disk_snapshot_store::open_in(*data, {"host-1"});
  if (!store)
    return tl::unexpected(store.error());
  auto journal = file_journal::open_in(*data);
  if (!journal)
    return tl::unexpected(journal.error());
  store_ = *store;
  journal_ = *journal;
  records_ = std::make_unique<sandbox_records>(*data);
  const auto drivers = driver_table{};
  recover({.host = {"host-1"},
           .drivers = drivers,
           .store = *store_,
           .journal = *journal_,
           .records = *records_});
  store_->recover();
  return {};
}

void store_life::close() {
  store_.reset();
  journal_.reset();
  records_.reset();
}

void store_life::note(const std::string& verb, const status& done) {
  if (!done)
    tell_("failed " + verb + ": " + to_string(done.error()));
}

void store_life::run() {
  if (auto opened = open(); !opened)
    return note("open", opened);
  if (auto recorded = record(); !recorded) {
    note("record", recorded);
    note("record", record()); // the sandbox is started again
  }
  note("branch 1", branch(1, memory_form::flat));
  for (const unsigned number : {2u, 3u, 4u})
    note("branch " + text_of(number), branch(number, memory_form::diff));
  note("flatten 3", flatten(3));
  note("remove 2", remove(2));
  note("remove 1", remove(1));
  if (store_->can_clone())
    note("branch 5", branch(5, memory_form::clone));
  note("copy 4", copy(4));
  note("branch 6", branch(6, memory_form::diff));
  close();
}

status store_life::record() {
  return records_->save({.id = {"source"}});
}

status store_life::fill(staging_area& area, unsigned number,
                        unsigned base) const {
  auto& memory = area.memory();
  status done = memory.expect(life_memory_bytes / 4);
  for (uint64_t page = 0; done && page < pages; ++page) {
    const auto changed = last_change(number, page);
    const auto address = page * guest_page_bytes;
    if (changed <= base)
      continue;
    // What a pass before the pause had copied is replaced.
    if (page % 3 == 0)
      done = memory.write(address, page_of(changed + 1, page + 1));
    const auto bytes = page_of(changed, page);
    if (done && bytes[0] == 0)
      done = memory.zero({address, address + guest_page_bytes});
    else if (done)
      done = memory.write(address, bytes);
  }
  if (done)
    done =
      write_at(area.vmstate_fd(), "vmstate " + text_of(number), 0, "vmstate");
  return done;
}

/// As QEMU leaves it: written, and not yet on the disk.
expected<std::vector<frozen_disk>> store_life::freeze_disks(unsigned number) {
  if (!has_layer(number))
    return std::vector<frozen_disk>{};
  const auto path =
    records_->directory({"source"}) + "/" + layer_name_of(number);
  const auto fd = open_file(path, O_RDWR | O_CREAT);
  if (!fd)
    return tl::unexpected(fd.error());
  const auto bytes = layer_of(number);
  for (uint64_t at = 0; at < bytes.size(); at += guest_page_bytes)
    if (auto done =
          write_at(fd->get(), bytes.substr(at, guest_page_bytes), at, path);
        !done)
      return tl::unexpected(done.error());
  layers_.push_back(path);
  return std::vector{frozen_disk{"disk0", 1 << 20, layers_}};
}

snapshot_info store_life::newest() {
  auto result = snapshot_info{};
  for (auto& info : store_->list())
    if (number_of(info.tag) > number_of(result.tag))
      result = std::move(info);
  return result;
}

expected<snapshot_info> store_life::seal(const branch_request& request,
                                         unsigned number, memory_form form) {
  const auto base = form == memory_form::flat ? snapshot_info{} : newest();
  auto area = store_->stage({.operation = request.operation,
                             .tag = request.tag,
                             .memory_bytes = life_memory_bytes,
                             .vmstate_bytes = vmstate_guess,
                             .form = form,
                             .base = base.tag,
                             .base_hash = base.root_hash,
                             .expected_bytes = life_memory_bytes / 8});
  if (!area)
    return tl::unexpected(area.error().error);
  if (auto filled = fill(**area, number, number_of(base.tag)); !filled)
    return tl::unexpected(filled.error());
  for (const bool stands : {true, false})
    if (auto mark = journal_->mark_pause(request.operation, stands); !mark)
      return tl::unexpected(mark.error());
  auto disks = freeze_disks(number);
  if (!disks)
    return tl::unexpected(disks.error());
  const auto vmstate = "vmstate " + text_of(number);
  return store_->seal({.operation = request.operation,
                       .tag = request.tag,
                       .source = request.sandbox,
                       .method = "by hand",
                       .memory_bytes = life_memory_bytes,
                       .vmstate_bytes = vmstate.size(),
                       .contract = {.driver = "simulated", .vcpus = 1},
                       .disks = std::move(*disks)},
                      **area);
}

status store_life::branch(unsigned number, memory_form form) {
  const branch_request request{.operation = {"op-" + text_of(number)},
                               .sandbox = {"source"},
                               .tag = {"snap-" + text_of(number)}};
  if (auto intent = journal_->open(request); !intent)
    return intent;
  if (form != memory_form::flat && newest().tag.empty())
    form = memory_form::flat;
  const auto sealed = seal(request, number, form);
  auto report = branch_report{.operation = request.operation,
                              .sandbox = request.sandbox,
                              .tag = request.tag};
  if (sealed) {
    report.root_hash = sealed->root_hash;
  } else {
    report.outcome = sealed.error();
    store_->discard(request.operation);
  }
  const auto kept = journal_->close(report);
  if (sealed)
    tell_("sealed " + text_of(number) + " " + report.root_hash);
  if (!sealed)
    return tl::unexpected(sealed.error());
  return kept;
}

status store_life::flatten(unsigned number) {
  auto done = store_->flatten({"snap-" + text_of(number)}, {});
  if (done)
    tell_("flattened " + text_of(number));
  return done;
}

status store_life::remove(unsigned number) {
  tell_("removing " + text_of(number));
  auto done = store_->remove({"snap-" + text_of(number)});
  if (done)
    tell_("removed " + text_of(number));
  return done;
}

std::string store_life::archive_of(unsigned number) const {
  return path_ + "." + text_of(number) + ".archive";
}

status store_life::copy(unsigned number) {
  const auto archive = archive_of(number);
  auto written = store_->export_to({"snap-" + text_of(number)}, archive, {});
  if (!written)
    return tl::unexpected(written.error());
  tell_("exported " + text_of(number));
  auto copied = store_->import_from(archive, {"copy-" + text_of(number)}, {},
                                    {.accept_unsigned = true});
  if (!copied)
    return tl::unexpected(copied.error());
  tell_("copied " + text_of(number) + " " + copied->info.root_hash);
  return {};
}

} // namespace forkfleet::test
