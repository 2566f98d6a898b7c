// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "tests/support/disk_place.hpp"

namespace forkfleet::test {

namespace {

class journal : public operation_journal {
public:
  journal(simulated_disk_ptr disk, disk_access access)
    : disk_(std::move(disk)), access_(std::move(access)) {}

  status open(const branch_request& request) override {
    const auto here = disk_place{access_, "journal.open"};
    if (here.fails())
      return tl::unexpected(here.why());
    const auto& id = request.operation;
    if (disk_->journal.contains(id))
      disk_->violations.push_back("an operation began twice: " + id.value);
    else
      disk_->journal_order.push_back(id);
    disk_->journal[id] = {.request = request};
    here.leave();
    return {};
  }

  status mark_pause(const operation_id& operation, bool paused) override {
    const auto here = disk_place{access_, "journal.mark_pause"};
    auto& entry = disk_->journal[operation];
    const auto which = paused ? stage::pause : stage::resume;
    entry.report.stages.push_back({.which = which});
    if (paused && ++disk_->pauses_begun[operation] > 1)
      disk_->violations.push_back("an operation paused its guest twice: "
                                  + operation.value);
    here.leave();
    return {};
  }

  status close(const branch_report& report) override {
    const auto here = disk_place{access_, "journal.close"};
    auto& entry = disk_->journal[report.operation];
    if (entry.ended)
      disk_->violations.push_back("an operation ended twice: "
                                  + report.operation.value);
    entry.ended = true;
    entry.report = report;
    access_.on_close(report);
    here.leave();
    return {};
  }

  std::vector<journal_entry> load(std::vector<std::string>&) override {
    auto result = std::vector<journal_entry>{};
    for (const auto& id : disk_->journal_order)
      result.push_back(disk_->journal.at(id));
    return result;
  }

private:
  simulated_disk_ptr disk_;
  disk_access access_;
};

} // namespace

operation_journal_ptr open_journal(simulated_disk_ptr disk,
                                   disk_access access) {
  return std::make_shared<journal>(std::move(disk), std::move(access));
}

} // namespace forkfleet::test
