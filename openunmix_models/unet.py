"""Spleeter's network: a U-Net that estimates the mask of one source from the mixture's magnitudes.

Source: R. Hennequin, A. Khlif, F. Voituret, M. Moussallam, "Spleeter: a fast and efficient music source separation tool
with pre-trained models", JOSS 5(50), 2154, 2020, and A. Jansson et al., "Singing voice separation with deep U-Net
convolutional networks", ISMIR 2017. TensorFlow's "same" padding adds one row and column before and two after.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu_, pad, pixel_shuffle

CHANNELS = (16, 32, 64, 128, 256, 512)  # of the six encoder convolutions
NB_LAYERS = len(CHANNELS)
MULTIPLE = 2**NB_LAYERS  # the numbers of frames and bins are halved NB_LAYERS times
KERNEL = 5
FEW_CHANNELS = 16  # decoder layers with at most so many run as convolutions
SLOPE = 0.2  # of the leaky rectifier


def weight_shapes() -> dict[str, tuple[int, ...]]:
    """The tensors of a network by name, with their shapes: the format of the files of weights here.

    Each `gain` and `offset` are a batch normalisation: y = gain * x + offset for each channel.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    down = (2, *CHANNELS)
    for number in range(1, NB_LAYERS + 1):
        shapes[f"down{number}.weight"] = (down[number], down[number - 1], KERNEL, KERNEL)
        shapes[f"down{number}.bias"] = (down[number],)
        if number < NB_LAYERS:
            shapes |= dict.fromkeys((f"down{number}.gain", f"down{number}.offset"), (down[number],))
    up = (CHANNELS[-1], *CHANNELS[-2::-1], 1)
    for number in range(1, NB_LAYERS + 1):
        nb_inputs = up[number - 1] * (1 if number == 1 else 2)  # with the skip connection
        shapes[f"up{number}.weight"] = (nb_inputs, up[number], KERNEL, KERNEL)
        shapes |= dict.fromkeys((f"up{number}.{name}" for name in ("bias", "gain", "offset")), (up[number],))
    return shapes | {"mask.weight": (2, 1, 4, 4), "mask.bias": (2,)}


class UNet:
    """The network of one source, from the tensors that `weight_shapes` names. Raises ValueError for other tensors.

    All tensors are in channels-last memory format, and the last layers, whose transposed convolutions have few output
    channels, run as convolutions at the lower resolution: on a CPU, this takes a fifth less time.
    """

    def __init__(self, state: dict[str, Tensor]):
        if {name: tuple(tensor.shape) for name, tensor in state.items()} != weight_shapes():
            raise ValueError("not a network of this shape")
        state = {name: tensor.float() for name, tensor in state.items()}
        self._down = [_layer(state, f"down{number}") for number in range(1, NB_LAYERS + 1)]
        self._up = [_up_layer(state, f"up{number}") for number in range(1, NB_LAYERS + 1)]
        self._mask: tuple[Tensor, ...] = state["mask.weight"], state["mask.bias"]
        self.to("cpu")

    def to(self, device: str) -> "UNet":
        """Move all weights to `device`."""
        self._down, self._up = (
            [tuple(_placed(tensor, device) for tensor in layer) for layer in side] for side in (self._down, self._up)
        )
        self._mask = tuple(_placed(tensor, device) for tensor in self._mask)
        return self

    def __call__(self, magnitudes: Tensor) -> Tensor:
        """Estimate the source's mask, 0 to 1.

        Args:
            magnitudes: of the mixture, (nb_examples, nb_channels=2, nb_frames, nb_bins), multiples of MULTIPLE.
        Returns:
            the same shape.
        """
        x, skipped = magnitudes.contiguous(memory_format=torch.channels_last), []
        for weight, bias, *norm in self._down:
            x = conv2d(pad(x, (1, 2, 1, 2)), weight, bias, stride=2)
            if norm:
                skipped.append(x)
                x = leaky_relu_(torch.addcmul(norm[1], x, norm[0]), SLOPE)
        for weight, bias, gain, offset in self._up:
            x = torch.addcmul(offset, _upsampled(x, weight, bias).relu_(), gain)
            if skipped:
                x = torch.cat([skipped.pop(), x], dim=1)
        weight, bias = self._mask
        return conv2d(x, weight, bias, padding=3, dilation=2).sigmoid_()


def _layer(state: dict[str, Tensor], name: str) -> tuple[Tensor, ...]:
    """Weight and bias of a convolution and, where it has one, gain and offset of the normalisation after it."""
    norm = [state[f"{name}.{part}"][:, None, None] for part in ("gain", "offset") if f"{name}.{part}" in state]
    return state[f"{name}.weight"], state[f"{name}.bias"], *norm


def _up_layer(state: dict[str, Tensor], name: str) -> tuple[Tensor, ...]:
    weight, bias, *norm = _layer(state, name)
    if weight.shape[1] <= FEW_CHANNELS:
        weight, bias = _as_convolution(weight), bias.repeat_interleave(4)
    return weight, bias, *norm


def _upsampled(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The transposed convolution of stride 2, or the convolution that `_as_convolution` makes of it."""
    if weight.shape[-1] == KERNEL:
        return conv_transpose2d(x, weight, bias, stride=2)[..., 1:-2, 1:-2]
    return pixel_shuffle(conv2d(x, weight, bias, padding=1), 2)


def _as_convolution(weight: Tensor) -> Tensor:
    """A transposed convolution of stride 2, (nb_inputs, nb_outputs, 5, 5), as a convolution with four channels for each
    output, one for each of the four places that a place of the input becomes: (4 * nb_outputs, nb_inputs, 3, 3).

    Source: W. Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016.
    """
    nb_inputs, nb_outputs, *_ = weight.shape
    padded = pad(weight.permute(1, 0, 2, 3), (0, 1, 0, 1))  # a sixth row and column of zeros
    # The place 2 a + p of the output, one having been cropped, takes row p + 1 - 2 d from the place a + d of the input.
    rows = torch.tensor([[place + 1 - 2 * shift for shift in (-1, 0, 1)] for place in (0, 1)])
    rows[rows < 0] = KERNEL
    taken = padded[:, :, rows[:, None, :, None], rows[None, :, None, :]]  # (nb_outputs, nb_inputs, 2, 2, 3, 3)
    return taken.permute(0, 2, 3, 1, 4, 5).reshape(4 * nb_outputs, nb_inputs, 3, 3)


def _placed(tensor: Tensor, device: str) -> Tensor:
    """Move a tensor to `device`; convolution weights to channels-last memory format."""
    moved = tensor.to(device)
    return moved.contiguous(memory_format=torch.channels_last) if moved.dim() == 4 else moved
