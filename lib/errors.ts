/**
 * The errors of the package. Each says where it happened, what was expected and what was found, and on a second line
 * what to change, so that a reader of a notebook cell or a terminal can act without opening the source.
 */

/** Base class of every error that this package throws on purpose. `message` = "<where>: <what>\nhelp: <advice>". */
export class OmniError extends Error {
  constructor(
    readonly where: string,
    readonly what: string,
    readonly help: string,
    options?: ErrorOptions,
  ) {
    super(`${where}: ${what}\nhelp: ${help}`, options);
    this.name = new.target.name;
  }
}

/** An argument, option or configuration value that cannot be used. */
export class ArgumentError extends OmniError {}

/** Shapes or types of tensors that do not fit the operation. */
export class ShapeError extends OmniError {}

/** A tensor was used after its storage had been given up (donated to a compiled step, or disposed). */
export class DisposedError extends OmniError {}

/** A device that does not exist or cannot be used on this machine. */
export class DeviceError extends OmniError {}

/** A loss or gradient became NaN or infinite. */
export class NonFiniteError extends OmniError {}

/** The work was cancelled by its caller. */
export class CancelledError extends OmniError {}

/** A file or record that is damaged or not in the expected format. */
export class FormatError extends OmniError {}

/** An optional package that this feature needs is not installed. */
export class MissingPackageError extends OmniError {
  constructor(where: string, packageName: string, options?: ErrorOptions) {
    super(where, `the optional package "${packageName}" is not installed`, `run: npm install ${packageName}`, options);
  }
}
