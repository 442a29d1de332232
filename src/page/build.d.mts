export declare function buildPage(): Promise<string>
export declare function writePage(folder: string): Promise<void>
