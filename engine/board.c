/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/board.h"

#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine/confine.h"
#include "io/file.h"

struct board *board_free(struct board *board)
{
        if (board->claimed)
                libusb_release_interface(board->handle, board->dfu.interface);
        if (board->handle)
                libusb_close(board->handle);
        if (board->usb)
                libusb_exit(board->usb);
        if (board->fd >= 0)
                close(board->fd);
        free(board);
        return NULL;
}

static int open_node(struct board *board, const struct board_wanted *wanted, char *message)
{
        board->fd = open(wanted->node, O_RDWR | O_CLOEXEC);
        if (board->fd >= 0)
                return 0;
        /* The kernel knows it already, udev's event is on its way. */
        if (errno == ENOENT || errno == ENODEV || errno == ENXIO) {
                snprintf(message, BOARD_MESSAGE_MAX, "board left before %s could be opened", wanted->node);
                return VERDICT_BOARD_LEFT;
        }
        snprintf(message, BOARD_MESSAGE_MAX, "cannot open %s: %s", wanted->node, strerror(errno));
        return VERDICT_NO_ACCESS;
}

static int check_transfer_size(const struct board *board, char *message)
{
        if (board->dfu.transfer_size >= 1 && board->dfu.transfer_size <= DFU_TRANSFER_SIZE_MAX)
                return 0;
        snprintf(message, BOARD_MESSAGE_MAX, "wTransferSize is %u: expected 1 to %d",
                 board->dfu.transfer_size, DFU_TRANSFER_SIZE_MAX);
        return VERDICT_NOT_DFU;
}

static int check_ids(const struct board *board, const struct board_wanted *wanted, char *message)
{
        char found[sizeof("303a:0002")];

        snprintf(found, sizeof(found), "%04x:%04x", board->ids.vid, board->ids.pid);
        if (!wanted->vid_pid || streq(found, wanted->vid_pid))
                return 0;
        snprintf(message, BOARD_MESSAGE_MAX, "%s is %s now: expected %s", wanted->node, found,
                 wanted->vid_pid);
        return VERDICT_REPLACED;
}

/* From the bytes alone: a GET_DESCRIPTOR for the functional descriptor is stalled by the ROM. */
static int identify(struct board *board, const struct board_wanted *wanted, char *message)
{
        uint8_t bytes[USB_DESCRIPTORS_MAX];
        const struct chip *chip;
        size_t len = 0;
        int r;

        /* usbfs gives the device descriptor and all configurations to whoever reads the node. */
        r = file_read_up_to(board->fd, bytes, sizeof(bytes), &len);
        if (r < 0) {
                snprintf(message, BOARD_MESSAGE_MAX, "cannot read the descriptors of %s: %s", wanted->node,
                         strerror(-r));
                return r == -ENODEV ? VERDICT_BOARD_LEFT : VERDICT_USB_ERROR;
        }
        if (usb_device_ids_parse(bytes, len, &board->ids) < 0) {
                snprintf(message, BOARD_MESSAGE_MAX, "%s has no device descriptor in its first 18 bytes",
                         wanted->node);
                return VERDICT_NOT_DFU;
        }
        r = check_ids(board, wanted, message);
        if (r != 0)
                return r;
        chip = board->ids.vid == ESP_VENDOR_ID ? chip_by_pid(board->ids.pid) : NULL;
        board->is_rom = chip && usb_descriptors_are_rom(bytes, len, chip);
        if (!board->is_rom && !wanted->any) {
                snprintf(message, BOARD_MESSAGE_MAX,
                         "descriptors are not the mask ROM's: expected them to the byte");
                return VERDICT_NOT_DFU;
        }
        r = usb_find_dfu_interface(bytes, len, &board->dfu);
        if (r != 0) {
                snprintf(message, BOARD_MESSAGE_MAX,
                         "%s: expected a DFU interface with its functional descriptor",
                         r < 0 ? "descriptors contradict themselves" : "no DFU interface");
                return VERDICT_NOT_DFU;
        }
        return check_transfer_size(board, message);
}

static int usb_verdict(int r, const char *what, char *message)
{
        snprintf(message, BOARD_MESSAGE_MAX, "cannot %s: %s", what, libusb_strerror(r));
        switch (r) {
        case LIBUSB_ERROR_NO_MEM:
                return -ENOMEM;
        case LIBUSB_ERROR_NO_DEVICE:
        case LIBUSB_ERROR_NOT_FOUND:
                return VERDICT_BOARD_LEFT;
        case LIBUSB_ERROR_BUSY:
                return VERDICT_BUSY;
        case LIBUSB_ERROR_ACCESS:
                return VERDICT_NO_ACCESS;
        default: /* libusb's codes are an open set of ints */
                return VERDICT_USB_ERROR;
        }
}

/* No enumeration: it would open every other board on the station. */
static int start_libusb(struct board *board, char *message)
{
        int r = libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);

        if (r == LIBUSB_SUCCESS)
                r = libusb_init(&board->usb);
        return r == LIBUSB_SUCCESS ? 0 : usb_verdict(r, "start libusb", message);
}

static int wrap(struct board *board, char *message)
{
        int r = libusb_wrap_sys_device(board->usb, (intptr_t)board->fd, &board->handle);

        return r == LIBUSB_SUCCESS ? 0 : usb_verdict(r, "take the device node into libusb", message);
}

static int claim(struct board *board, char *message)
{
        int r = libusb_claim_interface(board->handle, board->dfu.interface);

        if (r != LIBUSB_SUCCESS)
                return usb_verdict(r, "claim the DFU interface", message);
        board->claimed = true;
        if (board->dfu.alternate == 0)
                return 0;
        r = libusb_set_interface_alt_setting(board->handle, board->dfu.interface, board->dfu.alternate);
        return r == LIBUSB_SUCCESS ? 0
                                   : usb_verdict(r, "choose the DFU interface's alternate setting", message);
}

/* ---- the steps ---- */

int board_open(const struct board_wanted *wanted, struct board **ret, char message[static BOARD_MESSAGE_MAX])
{
        _cleanup_(board_freep) struct board *board = calloc(1, sizeof(*board));
        int r;

        if (!board)
                return -ENOMEM;
        board->fd = -EBADF;
        r = open_node(board, wanted, message);
        if (r == 0)
                r = start_libusb(board, message);
        if (r != 0)
                return r;
        *ret = take_ptr(board);
        return 0;
}

static int look_up_fds(const struct board *board, struct confinement *ret)
{
        const struct libusb_pollfd **list = libusb_get_pollfds(board->usb);
        int r = list ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && list[i]; i++)
                if (ret->n_usb < ARRAY_SIZE(ret->usb))
                        ret->usb[ret->n_usb++] = list[i]->fd;
                else
                        r = -EMFILE;
        libusb_free_pollfds(list);
        return r;
}

int board_confine(const struct board *board, int channel, int output, bool may_reset, size_t image_size,
                  char message[static BOARD_MESSAGE_MAX])
{
        struct confinement c = { .node = board->fd,
                                 .channel = channel,
                                 .output = output,
                                 .may_reset = may_reset,
                                 .image_size = image_size };
        int r = look_up_fds(board, &c);

        if (r == 0)
                r = confine(&c);
        if (r == 0)
                return 0;
        snprintf(message, BOARD_MESSAGE_MAX,
                 "engine cannot confine itself: %s; nothing was sent to the board", strerror(-r));
        return VERDICT_ENGINE_FAILED;
}

/* From here on the kernel refuses this node's holder every other interface, and drivers of the board. A kernel before 4.6
 * does not know it. One that must be reset with others' interfaces on it keeps the right. */
static void drop_rights(const struct board *board)
{
        uint32_t interfaces = UINT32_C(1) << board->dfu.interface;

        if (board->dfu.interface < 32 && (board->dfu.dfu_mode || board->dfu.attributes & DFU_WILL_DETACH))
                ioctl(board->fd, USBDEVFS_DROP_PRIVILEGES, &interfaces);
}

int board_claim(struct board *board, const struct board_wanted *wanted,
                char message[static BOARD_MESSAGE_MAX])
{
        int r = identify(board, wanted, message);

        if (r == 0)
                r = wrap(board, message);
        if (r == 0)
                r = claim(board, message);
        if (r == 0)
                drop_rights(board);
        return r;
}

/* Not libusb_reset_device(): that claims the interface again, and throws out whoever has it by then. */
int board_reset(struct board *board)
{
        if (board->claimed)
                libusb_release_interface(board->handle, board->dfu.interface);
        board->claimed = false;
        return ioctl(board->fd, USBDEVFS_RESET, NULL) == 0 || errno == ENODEV ? 0 : -EIO;
}
